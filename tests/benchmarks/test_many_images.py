"""What prediction and ranking take where there are many images: the calls and the table."""

from benchmarks import many_images
from benchmarks.many_images import CALLS, markdown, milliseconds


def test_time_is_that_of_the_call_over_its_images(tmp_path, monkeypatch):
    seen = {}

    def call_named(name):
        def call(config, checkpoint, source, out):
            seen[name] = (config, checkpoint, len(list(many_images.Path(source).glob('*.png'))))

        return call

    monkeypatch.setattr(many_images, 'CALLS', {name: call_named(name) for name in CALLS})
    clock = iter(range(0, 100, 6))
    monkeypatch.setattr(many_images.time, 'perf_counter', lambda: next(clock))
    assert milliseconds(tmp_path / 'weights.pth', 3) == dict(predict=2000.0, rank_unlabeled=2000.0)
    assert seen['predict'] == (many_images.CONFIG, str(tmp_path / 'weights.pth'), 3)


def test_the_table_has_the_newest_line_of_each_number():
    def line(images, predict):
        return dict(images=images, device='CPU', milliseconds_per_image=dict(predict=predict, rank_unlabeled=2.0))

    rows = markdown([line(1000, 9.0), line(100, 3.0), line(1000, 1.0)]).splitlines()
    assert rows[2:] == ['| 100 images, CPU | 3.0 | 2.0 |', '| 1,000 images, CPU | 1.0 | 2.0 |']
