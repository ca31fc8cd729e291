import mmseg
import pytest

from benchmarks.demo_seeds import DEMO, PAGE, config_hashes, read, summary
from benchmarks.gains import NO_RENORM
from benchmarks.recipe_parts import RECIPE_PARTS, ends_in


def line(seed, before, longer, after):
    semi = dict.fromkeys(('mIoU_fg', 'mIoU_image'), after)
    semi |= {f'branch_{k}.{key}': after - k for k in range(3) for key in ('mIoU_fg', 'mIoU_image')}
    labels = dict(labels_only=before, going_on=longer)
    return dict(
        seed=seed,
        **{name: dict.fromkeys(('mIoU_fg', 'mIoU_image'), score) for name, score in labels.items()},
        semi=semi,
    )


def test_gains_are_run_by_run():
    text = summary([line(0, 40.0, 39.0, 48.0), line(1, 43.0, 44.0, 50.0)])
    assert (
        text.splitlines()[2]
        == '| foreground IoU | 41.5 ± 2.1 | 41.5 ± 3.5 | 49.0 ± 1.4 | 48.0 ± 1.4 | 6.0 ± 1.4 | +5.0 |'
    )


def test_a_file_that_is_not_there_has_no_lines(tmp_path):
    assert read(tmp_path / 'none.jsonl') == []


def test_the_page_holds_the_table_of_the_results():
    assert summary(read(DEMO)) in PAGE.read_text()


@pytest.mark.parametrize('path', [DEMO, RECIPE_PARTS], ids=lambda path: path.stem)
def test_the_lines_are_of_the_configs_as_they_are(path):
    """Whoever changes the demo repeats its seeds."""
    lines = [line for line in read(path) if line['versions']['mmseg'] == mmseg.__version__]
    if not lines:
        pytest.skip(
            f"the seeds were run with another MMSegmentation, whose base configs may differ from {mmseg.__version__}'s"
        )
    as_it_is, without = config_hashes(), config_hashes(NO_RENORM)

    def known(line):
        return (as_it_is, without) if ends_in(line.get('options', []), NO_RENORM) else (as_it_is,)

    assert [line['seed'] for line in lines if line['config_hashes'] not in known(line)] == []
