"""``torch.compile``: compiled branches and a compiled step train as others do. Backend ``eager``: graphs, no code."""

import pytest
import torch

from tests.models.test_memory import METHODS, assert_same, build, train


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize(
    ('method', 'branch_by_branch'), [('simeps_plus', False), ('simeps_plus', True), ('renormalised', False)]
)
def test_compiled_backbones_train_as_they_are(method, branch_by_branch):
    changes = METHODS[method]
    expected = train(build(changes, branch_by_branch=branch_by_branch), steps=2)
    model = build(changes, branch_by_branch=branch_by_branch)
    for branch in model.branches:
        branch.backbone.compile(backend='eager')
    assert_same(train(model, steps=2), expected)


@pytest.mark.parametrize('method', ['simeps', 'renormalised'])
def test_a_compiled_step_trains_as_it_is(method):
    """``compile=dict(backend='eager')`` of a config does this to the model. PyTorch 2.11 sums gradients in another order."""
    expected = train(build(METHODS[method]), steps=2)
    model = build(METHODS[method])
    model.train_step = torch.compile(model.train_step, backend='eager')
    assert_same(train(model, steps=2), expected, atol=1e-5, rtol=1e-5)
