"""What a fixed run prints: everything that two checkouts have in common, and nothing of time and place."""

import json

import pytest

from benchmarks.fixed_run import lines
from benchmarks.protocols import name_of

RUN = dict(method='simeps', model='unet', dataset='synthetic', percent=10, seed=0, iters=2, size=32, batch=8)
LOSSES = [
    {'loss': 0.30000001192092896, 'time': 1.5, 'lr': 0.01, 'step': 1},
    {'mIoU_fg': 50.0, 'step': 1},  # a validation
    {'loss': 0.1, 'branch_0.loss_ce': 0.05, 'time': 1.4, 'step': 2},
]


@pytest.fixture
def folder(tmp_path):
    log = tmp_path / 'runs' / name_of(RUN) / '20260101_000000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(map(json.dumps, LOSSES)))
    line = dict(run=RUN, last=dict(test=dict(mIoU=7.5)), validations={'2': 6.5}, pseudo_labels={}, parameters=3)
    (tmp_path / 'results.jsonl').write_text(json.dumps(dict(line, seconds=12.5, device='x86_64')) + '\n')
    return tmp_path


def test_losses_of_each_step_to_the_last_digit_then_scores(folder):
    assert list(lines(folder)) == [
        'simeps 1 {"loss": 0.30000001192092896}',
        'simeps 2 {"branch_0.loss_ce": 0.05, "loss": 0.1}',
        'simeps last {"test": {"mIoU": 7.5}}',
        'simeps validations {"2": 6.5}',
        'simeps pseudo_labels {}',
        'simeps parameters 3',
    ]
