"""Ways to train in less memory give the gradients, statistics and random numbers of one pass, to the bit."""

import copy
import weakref

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmseg.registry import MODELS

from simeps_mmseg.engine.checks.experiment import optimizer_problems
from simeps_mmseg.engine.optimizers import BFloat16OptimWrapper
from simeps_mmseg.models.utils.gradient_checkpoints import rerun, run_once
from tests.helpers import make_samples, tiny_branch, tiny_model

SIZE = (16, 16)
PLUS = dict(
    teacher=dict(type='ExponentialMovingAverage', momentum=0.1, update_buffers=True),
    view=dict(type='RandomView', transforms=[dict(type='GreyNoise', sigma=(0.0, 0.1))]),
    cut_mix=dict(type='CutMix', prob=1.0),
)
UAPS = dict(cross_pseudo=dict(type='UncertaintyMixedLoss'))
STAGES = dict(type='SimilarityConsistencyLoss', stages=dict(encoder=1.0, decoder=1.0, logits=1.0))
# Unlabelled images teach nothing.
NO_CONSISTENCY = dict(cross_pseudo=None, similarity=None, consistency_on_labeled=False)
METHODS = dict(
    simeps={},
    simeps_plus=PLUS,
    renormalised={**PLUS, 'batch_renorm': True},
    uaps=UAPS,
    uaps_renormalised={**UAPS, 'batch_renorm': True},
    all_stages=dict(similarity=STAGES),
    ensemble=NO_CONSISTENCY,
)


class OnePass(OptimWrapper):
    """As mmengine has it: with a step of its own the model leaves everything to it."""

    def update_params(self, loss, step_kwargs=None, zero_kwargs=None):
        super().update_params(loss, step_kwargs, zero_kwargs)


def build(changes, **more):
    """A model with dropout and an auxiliary head."""
    torch.manual_seed(0)
    branch = tiny_branch(auxiliary=True)
    branch.decode_head.dropout_ratio = branch.auxiliary_head.dropout_ratio = 0.3
    model = MODELS.build(tiny_model(branch=branch, **changes, **more))
    model.init_weights()
    model.set_rampup(0.7)
    return model.train()


def batches(count, labeled=2, unlabeled=3):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        images = torch.randint(0, 256, (labeled + unlabeled, 3, *SIZE), generator=generator, dtype=torch.uint8)
        samples = make_samples(labeled, True) + make_samples(unlabeled, False)
        yield dict(inputs=list(images), data_samples=samples)


def train(model, kind=OptimWrapper, steps=3, **options):
    """Gradients before each update, losses, and all states after some steps."""
    torch.manual_seed(2)
    wrapper = kind(optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **options)
    wrapper.initialize_count_status(model, 0, steps)
    gradients = []
    wrapper.optimizer.register_step_pre_hook(
        lambda *args: gradients.append([copy.deepcopy(p.grad) for p in model.branches.parameters()])
    )
    losses = [model.train_step(data, wrapper) for data in batches(steps)]
    return dict(gradients=gradients, losses=losses, state=model.state_dict(), random=torch.get_rng_state())


def assert_same(ours, expected, atol=0, rtol=0):
    assert len(ours['gradients']) == len(expected['gradients']) > 0
    assert all(gradient.any() for gradient in ours['gradients'][0])
    for key in ('gradients', 'state', 'random'):
        torch.testing.assert_close(ours[key], expected[key], atol=atol, rtol=rtol, msg=key)
    for own, other in zip(ours['losses'], expected['losses']):
        assert list(own) == list(other)
        for name in own:
            limits = dict(atol=atol, rtol=rtol) if name != 'loss' else {}  # the sum has another order
            torch.testing.assert_close(own[name].detach(), other[name].detach(), **limits, msg=name)


@pytest.mark.parametrize('branch_by_branch', [False, True])
@pytest.mark.parametrize('counts', [1, 2])
@pytest.mark.parametrize('method', METHODS)
def test_steps_are_those_of_one_backward_pass(method, counts, branch_by_branch):
    expected = train(build(METHODS[method]), OnePass, accumulative_counts=counts)
    ours = train(build(METHODS[method], branch_by_branch=branch_by_branch), accumulative_counts=counts)
    assert_same(ours, expected)


@pytest.mark.parametrize('branch_by_branch', [False, True])
@pytest.mark.parametrize('method', ['simeps', 'simeps_plus', 'renormalised', 'uaps_renormalised'])
def test_blocks_that_run_again_teach_on_unlabelled_images_what_they_teach_without(method, branch_by_branch):
    def gradients(with_cp):
        model = build(METHODS[method], branch_by_branch=branch_by_branch)
        blocks = [block for block in model.branches.modules() if hasattr(block, 'with_cp')]
        for block in blocks:
            block.with_cp = with_cp
        (data,) = batches(1, labeled=0)
        torch.manual_seed(2)
        loss, _ = model.parse_losses(model.loss(**model.data_preprocessor(data, training=True)))
        before = statistics(model)
        loss.backward()
        if 'teacher' in METHODS[method]:
            torch.testing.assert_close(statistics(model), before, atol=0, rtol=0)
        assert {block.with_cp for block in blocks} == {with_cp}
        return [parameter.grad for parameter in model.branches.parameters()]

    torch.testing.assert_close(gradients(True), gradients(False), atol=0, rtol=0)


def test_layers_of_mmpretrain_that_run_again_are_found():
    from mmpretrain.models.backbones.densenet import DenseLayer

    network = torch.nn.Sequential(DenseLayer(4, 2, 2, memory_efficient=True), DenseLayer(4, 2, 2))
    assert rerun(network) == [(network[0], 'memory_efficient')]
    with run_once(rerun(network)):
        assert not rerun(network)


def statistics(model):
    return [buffer.clone() for name, buffer in model.branches.named_buffers() if 'running' in name]


@pytest.mark.parametrize('method', ['simeps', 'simeps_plus'])
def test_branch_by_branch_under_autocast(method):
    expected = train(build(METHODS[method]), BFloat16OptimWrapper)
    assert_same(train(build(METHODS[method], branch_by_branch=True), BFloat16OptimWrapper), expected)


def test_parts_under_autocast_are_those_of_one_pass_up_to_rounding():
    class OnePassBFloat16(OnePass, BFloat16OptimWrapper):
        pass

    ours, expected = (train(build({}), kind, steps=1) for kind in (BFloat16OptimWrapper, OnePassBFloat16))
    flat = [torch.cat([gradient.flatten() for gradient in one['gradients'][0]]) for one in (ours, expected)]
    assert torch.nn.functional.cosine_similarity(*flat, dim=0) > 0.999


def test_images_pass_part_by_part_unless_the_optimizer_wrapper_has_a_step_of_its_own():
    model = build({})
    seen = []
    loss = model.loss
    model.loss = lambda inputs, samples: seen.append(len(inputs)) or loss(inputs, samples)
    model.train_step(next(batches(1)), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    assert seen == [2, 3]
    model.train_step(next(batches(1)), OnePass(torch.optim.SGD(model.parameters(), lr=0.1)))
    assert seen == [2, 3, 5]


def first_activations(model, kept):
    """Weak references to what the first layer of each branch returns, in order of the calls."""
    for k, branch in enumerate(model.branches):
        layer = next(m for m in branch.modules() if isinstance(m, torch.nn.Conv2d))
        layer.register_forward_hook(lambda module, args, output, k=k: kept.append((k, weakref.ref(output))))


def test_activations_of_the_labelled_images_are_gone_when_the_unlabelled_ones_pass():
    model, kept, alive = build({}), [], []
    first_activations(model, kept)
    model.register_forward_pre_hook(lambda *args: alive.append([ref() is not None for _, ref in kept]))
    model.train_step(next(batches(1)), OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    assert alive == [[], [False] * 3]


@pytest.mark.parametrize(
    ('branch_by_branch', 'expected'),
    [(False, [(0, True), (1, True), (2, True)]), (True, [(0, False), (1, False), (2, True)])],
)
def test_activations_of_one_branch_are_kept_at_a_time(branch_by_branch, expected):
    model, kept = build({}, branch_by_branch=branch_by_branch), []
    first_activations(model, kept)
    data = model.data_preprocessor(next(batches(1, labeled=0)), training=True)
    losses = model.loss(**data)
    assert [(k, ref() is not None) for k, ref in kept] == expected
    model.parse_losses(losses)[0].backward()
    assert [k for k, _ in kept[3:]] == ([1, 0] if branch_by_branch else [])


def test_several_optimizers_are_still_refused():
    model = build({})
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    (problem,) = optimizer_problems(OptimWrapperDict(a=wrapper), model)
    assert problem.startswith('optim_wrapper: 1 optimisers (a), but TriBranchSemiSegmentor makes one step')
