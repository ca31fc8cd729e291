"""The scripts for several devices: what they start, word by word."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.helpers import experiment
from tests.processes import free_port

TOOLS = ROOT / 'tools'


@pytest.fixture
def started(tmp_path):
    """A function that runs a script and returns the words of the command that it would start."""
    stub = tmp_path / 'stub'
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    (tmp_path / 'srun').symlink_to(stub)

    def run(script, *arguments, **variables):
        path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
        environment = {**os.environ, 'PATH': path, 'PYTHON': str(stub), **variables}
        done = subprocess.run(
            [TOOLS / script, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_training_goes_through_torchrun(started):
    words = started('dist_train.sh', 'my config.py', '4', '--resume', '--cfg-options', 'a=1', NNODES='2', NODE_RANK='1')
    assert words[:4] == ['-m', 'torch.distributed.run', '--nnodes=2', '--node-rank=1']
    assert '--nproc-per-node=4' in words
    begin = words.index(f'{TOOLS}/train.py')
    assert words[begin + 1 :] == ['my config.py', '--launcher', 'pytorch', '--resume', '--cfg-options', 'a=1']


def test_two_processes_train_on_a_cpu(synthetic_root, tmp_path):
    experiment(synthetic_root, tmp_path / 'run', max_iters=2).dump(tmp_path / 'config.py')
    environment = dict(
        PYTHON=sys.executable,
        PYTHONPATH=str(ROOT),
        PORT=str(free_port()),
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
    )
    done = subprocess.run(
        [TOOLS / 'dist_train.sh', tmp_path / 'config.py', '2'],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / 'run').glob('*/*.log')
    said = log.read_text()
    assert 'Distributed launcher: pytorch' in said
    assert 'GPU number: 2' in said  # mmengine's word for the number of processes
    assert 'Iter(train) [2/2]' in said
    assert (tmp_path / 'run/iter_2.pth').exists()


def test_testing_takes_a_checkpoint(started):
    words = started('dist_test.sh', 'config.py', 'my weights.pth', '2', '--tta', PORT='29501')
    assert {'--nproc-per-node=2', '--master-port=29501'} <= set(words)
    begin = words.index(f'{TOOLS}/test.py')
    assert words[begin + 1 :] == ['config.py', 'my weights.pth', '--launcher', 'pytorch', '--tta']


@pytest.mark.parametrize(('gpus', 'per_node'), [('2', '2'), ('16', '8')])
def test_slurm_gets_a_task_per_gpu(started, gpus, per_node):
    words = started('slurm_train.sh', 'part', 'job', 'config.py', '--amp', GPUS=gpus, SRUN_ARGS='--time=1:00 --qos=low')
    assert {f'--ntasks={gpus}', f'--ntasks-per-node={per_node}', f'--gres=gpu:{per_node}'} <= set(words)
    assert {'--partition=part', '--job-name=job', '--time=1:00', '--qos=low'} <= set(words)
    assert words[words.index(f'{TOOLS}/train.py') + 1 :] == ['config.py', '--launcher', 'slurm', '--amp']


@pytest.mark.parametrize(
    ('script', 'arguments'),
    [('dist_train.sh', ['c.py']), ('dist_test.sh', ['c.py', 'w.pth']), ('slurm_train.sh', ['p'])],
)
def test_a_missing_argument_is_named(script, arguments):
    done = subprocess.run([TOOLS / script, *arguments], capture_output=True, text=True)
    assert done.returncode != 0
    assert f'usage: {script}' in done.stderr
