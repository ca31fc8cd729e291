"""Missed and rejected parts of the runs behind the table of gains."""

import json

from benchmarks.part_errors import AREAS, TABLE
from simeps_mmseg.evaluation import PartErrors


def line(seed, missed, rejected, good=10):
    """A seed in which each kind of network decides so many parts wrongly; the last has two branches."""
    errors = [[PartErrors(area, 20, missed, good, rejected, (20,), (missed,)) for area in AREAS]]
    better = [[one._replace(missed=0) for one in errors[0]]]
    run = dict(dataset='synthetic', percent=2, start=3000, iters=1200, model='unet', seed=seed)
    return json.loads(
        json.dumps(dict(run=run, split='test', areas=AREAS, plateau=errors, longer=errors, semi=errors + better))
    )


def test_shares_are_means_over_branches_and_seeds():
    _, _, *rows = TABLE.markdown([line(0, 2, 1), line(1, 4, 3)]).splitlines()
    assert len(rows) == len(AREAS)
    assert rows[0] == (
        '| generated surfaces, 2 % | test: 20, 10 | 1 px | 2 | 15.0 ± 7.1 | 15.0 ± 7.1 | 7.5 ± 3.5 '
        '| 20.0 ± 14.1 | 20.0 ± 14.1 | 20.0 ± 14.1 |'
    )


def test_without_good_parts_nothing_is_said_of_rejections():
    _, _, row, *_ = TABLE.markdown([line(0, 2, 0, good=0)]).splitlines()
    assert row.endswith('| 10.0 | 10.0 | 5.0 | - | - | - |')
