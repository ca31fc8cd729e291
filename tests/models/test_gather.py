"""The similarity map over processes: several processes with a part of the batch each train as one with the whole."""

import pytest
import torch
import torch.distributed as dist

from simeps_mmseg.models.losses import SimilarityConsistencyLoss
from simeps_mmseg.utils import UserError
from tests.processes import in_processes, join, leave

BRANCHES, BATCH, DIM, FEATURES = 3, 8, 5, (3, 7)  # 21 features: no number of processes divides them


def weights_and_inputs():
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(DIM, 21, generator=generator).requires_grad_() for _ in range(BRANCHES)]
    return weights, torch.randn(BATCH, DIM, generator=generator)


def gradients(weights, inputs, dtype=torch.float32):
    """Loss of the similarity of projected inputs in a dtype, and its gradients by the weights."""
    features = [(inputs @ weight).unflatten(1, FEATURES).to(dtype) for weight in weights]
    loss = SimilarityConsistencyLoss(reference_batch=16)(dict(logits=features))['logits']
    return dict(loss=loss.detach(), gradients=torch.stack(torch.autograd.grad(loss, weights)))


class CountBytes:
    """Counts what this process sends to others by collectives that exchange parts, and how many collectives there are."""

    def __init__(self, monkeypatch):
        self.sent, self.calls = 0, []
        for name in ('all_to_all_single', 'all_reduce', 'all_gather'):
            monkeypatch.setattr(dist, name, self.counting(name, getattr(dist, name)))

    def counting(self, name, collective):
        def counted(*args, **kwargs):
            self.calls.append(name)
            if name == 'all_to_all_single':
                world_size = dist.get_world_size()
                self.sent += args[1].numel() * args[1].element_size() * (world_size - 1) // world_size
            return collective(*args, **kwargs)

        return counted


def train_part(rank, port, world_size, folder):
    join(rank, port, world_size)
    weights, inputs = weights_and_inputs()
    part = inputs.chunk(world_size)[rank]
    results = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for dtype in (torch.float32, torch.bfloat16):
            counter = CountBytes(monkeypatch)
            own = gradients(weights, part, dtype)
            monkeypatch.undo()
            dist.all_reduce(own['gradients'])  # as data parallelism does
            own['gradients'] /= world_size
            results[dtype] = dict(own, sent=counter.sent, calls=counter.calls)
    try:
        gradients(weights, part[:1] if rank else part)
    except UserError as error:
        results['refused'] = str(error)
    torch.save(results, folder / f'{rank}.pth')
    leave()


@pytest.fixture(scope='module', params=[2, 4])
def found(request, tmp_path_factory):
    return in_processes(train_part, request.param, request.param, tmp_path_factory.mktemp('gather'))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_several_processes_equal_one(found, dtype):
    expected = gradients(*weights_and_inputs(), dtype)
    assert expected['gradients'].abs().amax(dim=(1, 2)).min() > 0.05
    # bfloat16 rounds the same products, whose sums may differ in the last bit of float32, to neighbours.
    tolerance = 1e-6 if dtype == torch.float32 else 2e-3
    for own in found:
        torch.testing.assert_close(own[dtype]['loss'], expected['loss'], atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(own[dtype]['gradients'], expected['gradients'], atol=tolerance, rtol=0)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_each_sends_its_features_once_forth_and_once_back(found, dtype):
    world_size = len(found)
    padded = -(-21 // world_size) * world_size
    own_bytes = BATCH // world_size * padded * dtype.itemsize
    for own in found:
        assert own[dtype]['sent'] == BRANCHES * 2 * own_bytes * (world_size - 1) // world_size
        forth, back = ['all_to_all_single', 'all_reduce'], ['all_reduce', 'all_to_all_single']
        assert own[dtype]['calls'] == ['all_gather', *BRANCHES * forth, *BRANCHES * back]


def test_different_shapes_are_refused_on_all_sides(found):
    share = BATCH // len(found)
    for own in found:
        assert own['refused'].startswith(
            'gather=True needs features of one shape on all processes, got '
            f'[({share}, 3, 7)] on rank 0, [(1, 3, 7)] on rank 1'
        )
        assert 'give every process the same number of labelled and unlabelled images' in own['refused']


def test_one_process_speaks_to_no_other(monkeypatch):
    counter = CountBytes(monkeypatch)
    gradients(*weights_and_inputs())
    assert counter.calls == []
