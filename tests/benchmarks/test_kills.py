"""The kill test, small: a few kills at random moments."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.kills import differences, killed_until_done, markdown
from benchmarks.results import lines_of
from simeps_mmseg.apis.prepare_data import prepare_data

ROOT = Path(__file__).resolve().parents[2]


def test_killed_trainings_end_with_the_same_weights(tmp_path):
    prepare_data('synthetic', data_root=tmp_path, num_train=100, num_test=6, size=32, fractions=[2])
    command = [sys.executable, 'benchmarks/kills.py', '--kills', '2', '--iters', '8', '--methods', 'simeps_plus']
    command += ['--signals', 'KILL', 'TERM', '--data-root', str(tmp_path), '--work-dir', str(tmp_path / 'runs')]
    command += ['--results', str(tmp_path / 'kills.jsonl')]
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line['kills'] >= 2
    assert line['trainings'] == line['finished'] == line['equal'] >= 1
    lines = lines_of(tmp_path / 'kills.jsonl')
    assert sum(one['kills'] for one in lines) == line['kills']
    # Called again, what is there counts: nothing is trained.
    shutil.rmtree(tmp_path / 'runs')
    again = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert json.loads(again.stdout.splitlines()[-1]) == line
    assert not (tmp_path / 'runs').exists()
    assert lines_of(tmp_path / 'kills.jsonl') == lines


def test_the_table_counts_trainings_and_kills():
    line = dict(method='simeps', workers=0, signals=['KILL'], iters=8, seed=0, kills=3, finished=True, equal=True)
    others = [dict(line, workers=2), dict(line, finished=False, equal=False, kills=1)]
    assert markdown([line, *others]).splitlines()[2:] == [
        '| simEps | 0 | SIGKILL | 4 | 2 | 1 | 1 |',
        '| simEps | 2 | SIGKILL | 3 | 1 | 1 | 1 |',
    ]


@pytest.mark.parametrize(
    ('one', 'other', 'where'),
    [
        (dict(a=torch.ones(2)), dict(a=torch.ones(2)), []),
        (dict(a=[torch.ones(2), 3]), dict(a=[torch.tensor([1.0, 1 + 2e-7]), 4]), ['.a[0]', '.a[1]']),
        (dict(a=torch.ones(2)), dict(a=torch.ones(2, dtype=torch.float64)), ['.a']),
        (dict(a=1), dict(b=1), ['']),
    ],
)
def test_a_single_bit_is_a_difference(one, other, where):
    assert differences(one, other) == where


def test_what_fails_by_itself_is_not_started_again():
    def start():
        child = os.fork()
        if not child:
            os._exit(3)
        return child

    assert killed_until_done(start, random.Random(0), 60.0, ['KILL']) == (0, [3])
