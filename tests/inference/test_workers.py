"""Work that several processes share."""

import os
import sys
from functools import partial

import pytest

from simeps_mmseg.inference.workers import AHEAD, check_workers, devices_of, in_workers
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.images import UnreadableImage


@pytest.fixture
def custom(tmp_path, monkeypatch):
    """``custom_imports`` of a config, with a module that only it names."""
    (tmp_path / 'module_of_a_config.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    return dict(imports=['module_of_a_config'])


def squares(device, worker_count):
    """Of a number its square, once for each time; odd ones end early, and -1 ends the process."""

    def work(item):
        assert worker_count == 1 or 'module_of_a_config' in sys.modules
        if item == -1:
            os._exit(1)
        yield item**2
        if item % 2:
            raise UnreadableImage(f'{item} is odd\nsaid {device} of {worker_count}')
        yield item**2

    return work


def opened(worker_count):
    return partial(_swapped, worker_count)


def _swapped(worker_count, device):
    return squares(device, worker_count)


def taken_from(results):
    """All values of an item, and what it ended with."""
    values = []
    try:
        for value in results:
            values.append(value)
    except UnreadableImage as error:
        return values, str(error)
    return values, ''


@pytest.mark.parametrize('workers', [1, 2])
def test_results_come_in_order_and_failures_behind_them(workers, custom):
    taken, seen = [], []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    for item, results in in_workers(opened(workers), items(), workers, 'cpu', custom):
        assert len(taken) - len(seen) <= AHEAD * workers  # all else waits to be listed
        seen.append(item)
        values, failure = taken_from(results)
        assert values == [item**2] * (1 if item % 2 else 2)
        assert failure == (f'{item} is odd' if item % 2 else '')
    assert seen == list(range(20))


def test_a_process_that_ends_is_said(custom):
    found = in_workers(opened(2), [2, 4, -1, 6, 8], 2, 'cpu', custom)
    with pytest.raises(UserError, match=r'one of 2 processes ended from outside.*use fewer --workers'):
        list(found)


def test_gpus_take_turns_unless_one_is_named(monkeypatch):
    assert devices_of(2, 'cuda:1') == ['cuda:1', 'cuda:1']
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    assert devices_of(3, None) == ['cuda:0', 'cuda:1', 'cuda:0']
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    assert devices_of(2, None) == [None, None]


@pytest.mark.parametrize(
    ('workers', 'device', 'says'),
    [
        (0, None, '--workers is a number of processes, 1 or more, got 0'),
        (2, 'gpu', '--device gpu is no device; expected one such as cpu or cuda:0'),
        (2, 'cuda:2', r'--device cuda:2 is not there: PyTorch finds 2 GPU\(s\), counted from 0'),
    ],
)
def test_options_of_processes_are_looked_at_before_they_start(workers, device, says, monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 2)
    with pytest.raises(UserError, match=says):
        check_workers(workers, device)
    for one in (None, 'cpu', 'cuda', 'cuda:1'):
        check_workers(2, one)
