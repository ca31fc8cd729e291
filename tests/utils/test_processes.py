"""Which process checks and writes, before the processes know each other, and how they part."""

import sys
import weakref

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

import simeps_mmseg.apis
from simeps_cli import Command
from simeps_mmseg.datasets.checks.before_training import check_before_training
from simeps_mmseg.models.utils.pretrained import check_pretrained
from simeps_mmseg.utils import UserError, configs
from simeps_mmseg.utils.processes import RANKS, is_first_process
from tests.processes import in_processes, join


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)


def launched_by(name):
    return Config(dict(launcher=name))


def test_one_process_is_the_first():
    assert is_first_process(launched_by('pytorch'))


@pytest.mark.parametrize('name', RANKS)
def test_each_launcher_numbers_its_processes(monkeypatch, name):
    monkeypatch.setenv(name, '0')
    assert is_first_process(launched_by('slurm'))
    monkeypatch.setenv(name, '1')
    assert not is_first_process(launched_by('slurm'))
    assert is_first_process(launched_by('none'))  # trainings of their own, side by side in one job


def test_torchrun_inside_of_slurm_counts(monkeypatch):
    monkeypatch.setenv('SLURM_PROCID', '0')  # one task of Slurm starts them all
    monkeypatch.setenv('RANK', '1')
    assert not is_first_process(launched_by('pytorch'))


def test_other_processes_of_slurm_leave_checks_and_words_to_the_first(monkeypatch):
    said = []
    monkeypatch.setattr(configs, 'print_log', lambda text, *_: said.append(text))
    cfg = Config(dict(model=dict(pretrained='missing.pth'), train_cfg={}, launcher='slurm'))
    with pytest.raises(UserError, match=r'missing\.pth \(model\.pretrained\) cannot be loaded'):
        check_pretrained(cfg)
    configs.merge_options(cfg, ['train_cfg.a=1'])
    assert len(said) == 1
    monkeypatch.setenv('SLURM_PROCID', '1')
    check_pretrained(cfg)
    configs.merge_options(cfg, ['train_cfg.b=1'])
    assert len(said) == 1
    assert check_before_training(cfg) == []


class HeldByItself:
    """As mmengine's runner: it holds the group of processes, and is held by what it holds."""

    def __init__(self):
        self.group = dist.group.WORLD
        self.owner = self


def run_train(rank, port, world_size, end, folder):
    """The command line of a training that leaves a runner behind, and may end with an exit code."""
    join(rank, port, world_size)
    freed = []

    def work(**values):
        runner = HeldByItself()
        weakref.finalize(runner, freed.append, True)
        if end is not None:
            sys.exit(end)
        return runner

    simeps_mmseg.apis.train = work
    try:
        code = Command('train')(['config.py', '--launcher', 'pytorch'])
    except SystemExit as exit:
        code = exit.code
    torch.save(dict(code=code, joined=dist.is_initialized(), freed=freed), folder / f'{rank}.pth')


@pytest.mark.parametrize(('end', 'code'), [(None, 0), (75, 75)])
def test_a_tool_lets_go_of_the_others_before_it_ends(tmp_path, end, code):
    found = in_processes(run_train, 2, 2, end, tmp_path)
    assert found == [dict(code=code, joined=False, freed=[True])] * 2
