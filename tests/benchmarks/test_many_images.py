"""What prediction, ranking and the check of all files take where there are many images: the data, the calls and the table."""

from benchmarks import many_images
from benchmarks.many_images import CALLS, CONFIG, LABELED, VALIDATED, make_data, markdown, milliseconds
from simeps_mmseg.apis.check_dataset import check_dataset
from simeps_mmseg.apis.demo import data_options


def test_time_is_that_of_the_call_over_its_images(tmp_path, monkeypatch):
    seen = {}

    def call_named(name):
        def call(root, checkpoint):
            seen[name] = (checkpoint, len(list((root / many_images.IMAGES).glob('*.png'))))

        return call

    monkeypatch.setattr(many_images, 'CALLS', {name: call_named(name) for name in CALLS})
    clock = iter(range(0, 100, 6))
    monkeypatch.setattr(many_images.time, 'perf_counter', lambda: next(clock))
    assert milliseconds(tmp_path / 'weights.pth', 20) == dict.fromkeys(CALLS, 300.0)
    assert seen == dict.fromkeys(CALLS, (tmp_path / 'weights.pth', 20))


def test_the_config_finds_its_parts_in_the_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    check_dataset(CONFIG, data_options('simeps', make_data(tmp_path / 'data', 20)), workers=0)
    rows = [[cell.strip() for cell in row.split('|')[1:3]] for row in capsys.readouterr().out.splitlines()]
    counted = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    unlabeled = 20 - LABELED - VALIDATED
    assert counted == dict(labelled=LABELED, unlabelled=unlabeled, validation=VALIDATED, test=VALIDATED)


def test_the_table_has_the_newest_line_of_each_number():
    def line(images, predict):
        times = dict(predict=predict, rank_unlabeled=2.0, check_dataset=0.5)
        return dict(images=images, device='CPU', milliseconds_per_image=times)

    rows = markdown([line(1000, 9.0), line(100, 3.0), line(1000, 1.0)]).splitlines()
    assert rows[2:] == ['| 100 images, CPU | 3.0 | 2.0 | 0.5 |', '| 1,000 images, CPU | 1.0 | 2.0 | 0.5 |']
