"""Tables of what grows with the number of images, workers and processes."""

import torch
from mmengine.registry import init_default_scope
from torch import nn

from benchmarks import list_scaling, loader_speed, processes, selection_scaling
from benchmarks.steps import Case


def test_starts_of_one_list_are_one_row():
    def line(known, seconds, peak, **more):
        beyond = {f'{key}_beyond_plain': 0.0 for key in ('cpu_seconds', 'worker_mib')}
        beyond |= dict(seconds_beyond_plain=seconds, peak_mib_beyond_plain=peak)
        return dict(images=10_000, named_by='list', known=known, **beyond, **more)

    rows = list_scaling.markdown([line(False, 9.0, 9), line(False, 2.0, 30), line(True, 1.0, 20)]).splitlines()
    assert rows[2:] == ['| 10,000 | list | 2.0 | 1.0 | 30 | 0 |']


def test_comparisons_are_shown_with_their_share():
    line = dict(images=300, seconds=1.0, features_mib=10, beyond_features_mib=2, comparisons=4485, of_all_pairs=0.1)
    rows = selection_scaling.markdown([dict(line, seconds=9.0), line]).splitlines()
    assert rows[2:] == ['| 300 | 1.0 | 10 | 2 | 4,485 (10 %) |']


def test_loaders_stand_below_the_step_with_and_without_kept_images():
    def loader(workers, cache_bytes, rate):
        return dict(
            what='loader', config='a', device='CPU', workers=workers, cache_bytes=cache_bytes, images_per_second=rate
        )

    step = dict(what='step', config='a', device='CPU', images_per_second=20.0)
    rows = loader_speed.markdown(
        [step, loader(1, 0, 900.0), loader(1, 4096, 1800.0), loader(0, 0, 1000.0)]
    ).splitlines()
    assert rows[2:] == [
        '| `a`, CPU: the step alone | 20.0 |  |',
        '| `a`, CPU: the loader, num_workers=0 | 1,000.0 |  |',
        '| `a`, CPU: the loader, num_workers=1 | 900.0 | 1,800.0 |',
    ]


def test_processes_share_the_images(monkeypatch):
    met = []

    def made(case, device):
        met.append(case.batch)
        return nn.Identity(), lambda: None

    monkeypatch.setattr(processes, 'make_step', made)
    monkeypatch.setattr(processes, 'train_together', lambda model: met.append('together'))
    monkeypatch.setattr(processes.dist, 'barrier', lambda: None)
    case = Case('unet', 32, 16, 'simeps', 'float32')
    assert len(processes.turn(case, 'cpu', 0, 1)['seconds']) == processes.STEPS
    processes.turn(case, 'cpu', 0, 4)
    assert met == [16, 4, 'together']


def test_several_processes_train_one_network():
    """The wrapper gives all the weights of the first; without it the others would keep theirs."""
    first, second = processes.in_processes(weights_after_a_step, 2, 'cpu')
    assert first == second


def weights_after_a_step(rank, number):
    """Sum of the weights of each process, of which the second begins with others."""
    init_default_scope('mmseg')
    model, step = processes.make_step(Case('unet', 32, 2, 'simeps', 'float32'), 'cpu')
    with torch.no_grad():
        next(model.parameters()).add_(rank)
    processes.train_together(model)
    step()
    sums = [None] * number
    processes.dist.all_gather_object(sums, sum(float(weight.detach().double().sum()) for weight in model.parameters()))
    return sums


def test_each_number_of_processes_is_beside_one():
    line = dict(method='simeps', size=128, batch=16, device='cpu', cores=2)
    line |= dict(seconds={'1': 2.0, '2': 1.1}, peak_mib={'1': 900, '2': 500})
    rows = processes.markdown([line]).splitlines()
    assert rows[2:] == [
        '| simEps, cpu, 2 cores | 1 | 16 + 16 of 128 x 128 | 2.00 | 1.00 | 900 |',
        '| simEps, cpu, 2 cores | 2 | 8 + 8 of 128 x 128 | 1.10 | 0.55 | 500 |',
    ]


def test_what_processes_return_is_that_of_the_first():
    assert processes.in_processes(numbers, 2, 'cpu') == [0, 2, 1.0]


def numbers(rank, number):
    """Rank, number of processes, and the sum of the ranks."""
    total = torch.tensor(float(rank))
    processes.dist.all_reduce(total)
    return [rank, number, float(total)]
