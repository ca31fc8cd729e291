"""The similarity map over processes: two processes with half a batch each train as one with the whole."""

import socket

import pytest
import torch
import torch.distributed as dist

from simeps_mmseg.models.losses import SimilarityConsistencyLoss
from tests.processes import server

BRANCHES, BATCH, DIM = 3, 6, 5


def weights_and_inputs():
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(DIM, 4, generator=generator).requires_grad_() for _ in range(BRANCHES)]
    return weights, torch.randn(BATCH, DIM, generator=generator)


def gradients(weights, inputs):
    loss = SimilarityConsistencyLoss()(dict(logits=[inputs @ weight for weight in weights]))['logits']
    return loss.detach(), torch.autograd.grad(loss, weights)


def train_half(rank, port, unequal, queue):
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    weights, inputs = weights_and_inputs()
    part = inputs.chunk(2)[rank]
    if unequal and rank:
        part = part[:-1]
    try:
        loss, grads = gradients(weights, part)
        averaged = []
        for grad in grads:  # as data parallelism does
            dist.all_reduce(grad)
            averaged.append((grad / 2).numpy())
        queue.put((rank, loss.item(), averaged))
    except ValueError as error:
        queue.put((rank, str(error), None))
    dist.destroy_process_group()


def run_two_processes(unequal):
    context = server()
    queue = context.SimpleQueue()
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    processes = [context.Process(target=train_half, args=(rank, port, unequal, queue)) for rank in range(2)]
    for process in processes:
        process.start()
    results = [queue.get() for _ in processes]
    for process in processes:
        process.join(timeout=60)
    return sorted(results, key=lambda result: result[0])


def test_two_processes_equal_one():
    expected_loss, expected = gradients(*weights_and_inputs())
    for _, loss, grads in run_two_processes(unequal=False):
        assert loss == pytest.approx(expected_loss.item(), abs=1e-6)
        for got, want in zip(grads, expected):
            torch.testing.assert_close(torch.from_numpy(got), want, atol=1e-5, rtol=1e-4)


def test_different_shapes_are_refused_on_both_sides():
    for _, message, _ in run_two_processes(unequal=True):
        assert 'needs features of one shape on all processes, got [(3, 4), (2, 4)]' in message
