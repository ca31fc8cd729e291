"""Batch renormalization: the values of inference, the gradient of training."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from simeps_mmseg.models.utils.batch_norm import normalised_as_at_inference
from simeps_mmseg.models.utils.batch_renorm import batch_renorm, is_renormalising, moments


def norm_and_inputs(kind=nn.BatchNorm2d, shape=(4, 3, 5, 6), **options):
    torch.manual_seed(0)
    norm = kind(3, **options).double()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm, 3 + 2 * torch.randn(shape, dtype=torch.float64)


def gradients(function, norm, inputs, weights):
    inputs = inputs.clone().requires_grad_()
    norm.zero_grad()
    (weights * function(inputs)).sum().backward()
    return [inputs.grad, *(parameter.grad.clone() for parameter in norm.parameters())]


@pytest.mark.parametrize('options', [{}, dict(affine=False), dict(eps=0.1)])
@pytest.mark.parametrize(('kind', 'shape'), [(nn.BatchNorm2d, (4, 3, 5, 6)), (nn.BatchNorm1d, (4, 3))])
def test_values_are_those_of_inference_and_statistics_stay(kind, shape, options):
    norm, inputs = norm_and_inputs(kind, shape, **options)
    before = copy.deepcopy(norm.state_dict())
    found = batch_renorm(norm, inputs)
    torch.testing.assert_close(found, norm.eval()(inputs))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


@pytest.mark.parametrize('shape', [(4, 3, 5, 6), (4, 3)])
def test_moments_are_those_of_var_mean(shape):
    """Which takes their place on a GPU."""
    inputs = 3 + 2 * torch.randn(shape)
    dims = [0, *range(2, len(shape))]
    torch.testing.assert_close(moments(inputs), torch.var_mean(inputs, dims, correction=0)[::-1])


def test_a_layer_whose_statistics_are_of_the_batch_has_the_gradient_of_batch_norm():
    norm, inputs = norm_and_inputs()
    norm.running_var, norm.running_mean = torch.var_mean(inputs, (0, 2, 3), correction=0)
    weights = torch.randn_like(inputs)
    trained = copy.deepcopy(norm).train()
    expected = gradients(trained, trained, inputs, weights)
    torch.testing.assert_close(gradients(lambda x: batch_renorm(norm, x), norm, inputs, weights), expected)


def test_what_would_move_or_scale_the_batch_has_no_gradient():
    """Whatever the running statistics; that of weight and bias is the one of inference."""
    norm, inputs = norm_and_inputs()
    weights = torch.randn_like(inputs)
    found = gradients(lambda x: batch_renorm(norm, x), norm, inputs, weights)
    inference = gradients(lambda x: norm.eval()(x), norm, inputs, weights)
    torch.testing.assert_close(found[1:], inference[1:])
    for gradient, is_free in ((found[0], True), (inference[0], False)):
        per_channel = [(gradient * other).sum((0, 2, 3)).abs().max() for other in (1, inputs)]
        assert all((value < 1e-3) == is_free for value in per_channel), per_channel  # eps keeps a little of the scale


def test_moments_are_exact_far_from_zero():
    inputs = 1000 + torch.randn(4, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    var, mean = torch.var_mean(inputs.double(), (0, 2, 3), correction=0)
    torch.testing.assert_close(moments(inputs), (mean.float(), var.float()), rtol=1e-5, atol=0)


def test_one_value_for_each_channel_has_the_gradient_of_inference():
    norm, inputs = norm_and_inputs(shape=(1, 3, 1, 1))
    weights = torch.ones_like(inputs)
    found, expected = (gradients(f, norm, inputs, weights) for f in (lambda x: batch_renorm(norm, x), norm.eval()))
    torch.testing.assert_close(found, expected)
    assert found[0].all()


def test_a_channel_that_does_not_vary_has_a_finite_gradient():
    norm, inputs = norm_and_inputs()
    inputs[:, 1] = 0.0
    found = gradients(lambda x: batch_renorm(norm, x), norm, inputs, torch.randn_like(inputs))
    assert all(gradient.isfinite().all() for gradient in found)


def test_half_precision_is_kept_and_normalised_in_single():
    norm, inputs = norm_and_inputs()
    norm, inputs = norm.float(), inputs.bfloat16()
    found = batch_renorm(norm, inputs)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), norm.eval()(inputs.float()), rtol=2e-2, atol=2e-2)


class NormAndActivation(nn.BatchNorm2d):
    """Written as ``BatchNormAct2d`` of timm: ``F.batch_norm`` within, then more."""

    def forward(self, inputs):
        if self.training:
            self.num_batches_tracked.add_(1)
        options = dict(weight=self.weight, bias=self.bias, training=self.training, momentum=self.momentum, eps=self.eps)
        return F.batch_norm(
            input=inputs, running_mean=self.running_mean, running_var=self.running_var, **options
        ).relu()


class ActivationAfterNorm(nn.BatchNorm2d):
    """By the layer above it."""

    def forward(self, inputs):
        return super().forward(inputs).relu()


def of_timm(*args):
    return pytest.importorskip('timm.layers', reason='timm is not installed').BatchNormAct2d(*args)


@pytest.mark.parametrize('kind', [NormAndActivation, ActivationAfterNorm, of_timm])
def test_a_layer_that_does_more_than_normalise_does_so(kind):
    norm, inputs = norm_and_inputs(kind)
    weights = torch.randn_like(inputs)
    expected = gradients(lambda x: batch_renorm(norm, x).relu(), norm, inputs, weights)
    before = copy.deepcopy(norm.state_dict())
    with normalised_as_at_inference([norm.train()], renorm=True):
        found = gradients(norm, norm, inputs, weights)
    torch.testing.assert_close(found, expected)
    assert norm.training
    torch.testing.assert_close(norm.eval()(inputs), batch_renorm(norm, inputs).relu())
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_a_weight_without_a_bias():
    norm, inputs = norm_and_inputs()
    norm.bias = None
    torch.testing.assert_close(batch_renorm(norm, inputs), norm.eval()(inputs))


def test_frozen_layers_and_those_without_statistics_are_left_alone():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3).eval(), nn.BatchNorm2d(3, track_running_stats=False))
    with normalised_as_at_inference([network], renorm=True):
        assert [is_renormalising(norm) for norm in network] == [True, False, False]
        assert network(torch.rand(2, 3, 4, 4)).isfinite().all()
    assert not any(map(is_renormalising, network))
    with pytest.raises(ZeroDivisionError), normalised_as_at_inference([network], renorm=True):
        raise ZeroDivisionError
    assert not any(map(is_renormalising, network))
