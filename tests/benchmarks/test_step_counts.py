"""What a step launches and waits for: bounds that hold on every device."""

from functools import cache

import pytest
import torch

from benchmarks import step_counts
from benchmarks.step_counts import BASES, METHODS, StepCounter, count_hook, line_of, markdown

count = cache(step_counts.count)


@pytest.fixture(scope='module')
def passes():
    """Launches of the passes that simEps consists of: three networks over labelled and over unlabelled images, apart."""
    return count('labels only x 6')[0].launches.total()


@pytest.mark.parametrize(('method', 'limit'), [('simeps', 1.2), ('simeps_plus', 2.2)])
def test_launches_beside_the_passes_of_the_networks(method, limit, passes):
    """simEps-plus has three more passes, of the teachers, and batch renormalization, whose launches are of single channels."""
    (counter,) = count(method)
    assert 1 < counter.launches.total() / passes < limit
    assert set(counter.reads) == {'mmseg'}  # its ``accuracy`` picks pixels by a mask, twice a head
    assert counter.reads['mmseg'] == 6


@pytest.mark.parametrize('method', METHODS)
def test_no_step_waits_for_a_copy_to_the_device(method):
    (counter,) = count(method)
    assert not counter.copies, counter.copies


def test_the_hook_that_looks_for_numbers_that_are_not_finite_adds_little():
    """Statistics of batch norm are copied by dtype, not one by one; whether to step is the one value asked for."""
    found = count_hook()
    assert found.launches.total() < 15, found.launches
    assert found.launches['aten._foreach_copy_.default'] == 2
    assert +found.reads == {'simeps_mmseg': 1}
    assert not +found.copies


def test_the_counter_counts_launches_and_reads():
    images = torch.ones(2, 3, device='meta')
    host = torch.ones(2)
    with StepCounter() as counter:
        images.view(6).add(1).mul(2)
        torch._foreach_add_([images, images], 1)
        host.add(1).sum().item()
        assert bool(images.sum() > 0)
        assert images[images > 0].shape == (6,)
    assert counter.launches.total() == 3 + 2 + 2  # add, mul, foreach; sum and comparison; mask and index
    assert counter.reads.total() == 2
    assert not counter.copies


def test_the_counter_counts_fused_updates_of_several_dtypes_one_by_one():
    mixed = [torch.ones(2, device='meta'), torch.ones(2, device='meta', dtype=torch.int64)]
    with StepCounter() as counter:
        torch._foreach_copy_(mixed, mixed)
    assert counter.launches.total() == 2


@pytest.mark.parametrize(
    'copy',
    [
        lambda images, host: host.to('meta'),
        lambda images, host: host.to('meta', non_blocking=True),  # not pinned
        lambda images, host: images.copy_(host),
        lambda images, host: images[host.long()],
        lambda images, host: torch.tensor([1.0, 2.0], device='meta'),
    ],
)
def test_the_counter_counts_copies_that_wait(copy):
    images, host = torch.ones(2, device='meta'), torch.ones(2)
    with StepCounter() as counter:
        copy(images, host)
    assert counter.copies.total() == 1


def test_the_table_has_means_and_ranges():
    def counter(launches):
        one = StepCounter()
        one.launches['aten.add'] = launches
        one.reads['mmseg'] = 6
        return one

    found = [line_of(name, [counter(launches)], {}) for name, launches in zip(BASES, (100, 200))]
    found.append(line_of('simeps_plus', [counter(290), counter(310)], dict(a=200)))
    assert found[-1]['ratios'] == dict(a=1.5)
    assert markdown(found).splitlines()[-1] == '| simEps-plus | 300 (290 to 310) | 3.00 | 1.50 | 6 | 0 |'
