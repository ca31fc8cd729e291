"""What a step launches and waits for: bounds that hold on every device."""

import pytest
import torch

from benchmarks.step_counts import StepCounter, count


@pytest.fixture(scope='module')
def passes():
    """Launches of the passes that simEps consists of: three networks over labelled and over unlabelled images, apart."""
    return count('labels only x 6').launches.total()


@pytest.mark.parametrize(('method', 'limit'), [('simeps', 1.2), ('simeps_plus', 1.55)])
def test_launches_beside_the_passes_of_the_networks(method, limit, passes):
    """simEps-plus has three more passes, of the teachers."""
    counter = count(method)
    assert 1 < counter.launches.total() / passes < limit
    assert set(counter.reads) == {'mmseg'}  # its ``accuracy`` picks pixels by a mask, twice a head
    assert counter.reads['mmseg'] == 6


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
