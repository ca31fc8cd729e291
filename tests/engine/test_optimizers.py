"""Gradient accumulation: several small steps count as one of their mean, in the optimiser and in the losses' weights."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmseg.registry import MODELS

from simeps_mmseg.engine.hooks import preflight
from tests.helpers import make_samples, tiny_branch, tiny_model

RATE = 0.1


@pytest.fixture
def model():
    branch = tiny_branch()
    branch.backbone.norm_cfg = branch.decode_head.norm_cfg = dict(type='GN', num_groups=2)
    model = MODELS.build(tiny_model(branch=branch, teacher=dict(type='ExponentialMovingAverage', momentum=0.5)))
    model.init_weights()
    model.set_rampup(0.5)
    return model.train()


def weights_of(networks):
    return torch.cat([p.detach().flatten().clone() for network in networks for p in network.parameters()])


def test_two_accumulated_steps_are_one_of_their_mean_gradient(model):
    batches = [
        dict(inputs=torch.randn(4, 3, 16, 16), data_samples=make_samples(2, True) + make_samples(2, False))
        for _ in range(2)
    ]
    before = weights_of(model.branches)
    gradients = []
    for batch in batches:
        model.zero_grad()
        model.parse_losses(model(**batch, mode='loss'))[0].backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.branches.parameters()]))
    model.zero_grad()
    wrapper = OptimWrapper(torch.optim.SGD(model.branches.parameters(), lr=RATE), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for batch in batches[:1]:
        with wrapper.optim_context(model):
            losses = model(**batch, mode='loss')
        wrapper.update_params(model.parse_losses(losses)[0])
    assert torch.equal(weights_of(model.branches), before)  # nothing moves in between
    with wrapper.optim_context(model):
        losses = model(**batches[1], mode='loss')
    wrapper.update_params(model.parse_losses(losses)[0])
    mean = (gradients[0] + gradients[1]) / 2
    assert mean.abs().max() > 1e-3
    torch.testing.assert_close(weights_of(model.branches), before - RATE * mean, atol=1e-6, rtol=1e-5)


def test_teachers_move_after_the_accumulated_step(model):
    wrapper = OptimWrapper(torch.optim.SGD(model.branches.parameters(), lr=RATE), accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 8)
    before = weights_of(model.branches)

    def step():
        batch = dict(inputs=torch.randn(4, 3, 16, 16), data_samples=make_samples(2, True) + make_samples(2, False))
        wrapper.update_params(model.parse_losses(model(**batch, mode='loss'))[0])
        return weights_of(teacher.module for teacher in model.teachers)

    assert torch.equal(step(), before)
    assert torch.equal(step(), before)  # the branches moved at its end
    after = weights_of(model.branches)
    assert not torch.equal(after, before)
    torch.testing.assert_close(step(), (before + after) / 2)


def test_maps_of_summed_batches_are_warned_of_at_the_start(model, monkeypatch):
    said = []
    monkeypatch.setattr(preflight, 'print_log', lambda text, *_: said.append(text))
    monkeypatch.setattr(preflight, 'check_experiment', lambda *_: None)
    optimizer = torch.optim.SGD(model.branches.parameters(), lr=RATE)

    def start(counts):
        wrapper = OptimWrapper(optimizer, accumulative_counts=counts)
        runner = SimpleNamespace(model=model, optim_wrapper=wrapper, train_loop=None, val_loop=None)
        preflight.ExperimentCheckHook().before_train(runner)

    start(1)
    assert said == []
    start(3)
    assert len(said) == 1
    assert said[0].startswith('optim_wrapper.accumulative_counts=3: ')
    assert 'not one map of all 3; for larger maps use larger batches or more processes' in said[0]
    model.similarity = None
    start(3)
    assert len(said) == 1
