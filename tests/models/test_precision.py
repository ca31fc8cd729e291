"""Half precision: the losses stay finite and in float32, and close to what float32 gives."""

import pytest
import torch
from mmseg.registry import MODELS

from tests.helpers import make_samples, tiny_branch, tiny_model

SIZE = (16, 16)


@pytest.fixture
def model():
    branch = tiny_branch()
    branch.backbone.norm_cfg = branch.decode_head.norm_cfg = dict(type='GN', num_groups=2)
    model = MODELS.build(tiny_model(branch=branch, teacher=dict(type='ExponentialMovingAverage', momentum=0.01)))
    model.init_weights()
    return model.train()


@pytest.fixture
def batch():
    return torch.randn(6, 3, *SIZE), make_samples(3, True, SIZE) + make_samples(3, False, SIZE)


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float16, 5e-3), (torch.bfloat16, 4e-2)])
def test_losses_and_gradients_of_half_precision_are_those_of_float32(model, batch, dtype, tolerance):
    def step(*contexts):
        model.zero_grad()
        with torch.autocast('cpu', dtype=dtype, enabled=bool(contexts)):
            losses = model.loss(*batch)
        model.parse_losses(losses)[0].backward()
        return losses, torch.cat([p.grad.flatten() for p in model.branches.parameters()])

    expected, expected_gradient = step()
    half = []
    handle = model.branches[0].backbone.register_forward_hook(
        lambda module, args, output: half.append(output[-1].dtype)
    )
    losses, gradient = step('autocast')
    handle.remove()
    assert set(half) == {dtype}  # the networks did compute in half precision
    for key in [key for key in expected if 'loss' in key]:
        assert losses[key].dtype == torch.float32, key
        torch.testing.assert_close(losses[key], expected[key], atol=tolerance, rtol=tolerance, msg=key)
    cosine = torch.nn.functional.cosine_similarity(gradient, expected_gradient, dim=0)
    assert gradient.isfinite().all()
    assert cosine > 1 - tolerance


def test_logits_beyond_what_a_gram_matrix_holds_in_float16(model, batch):
    with torch.no_grad():
        for branch in model.branches:
            branch.decode_head.conv_seg.weight.mul_(1000.0)
    with torch.autocast('cpu', dtype=torch.float16):
        losses = model.loss(*batch)
    model.parse_losses(losses)[0].backward()
    logits = model.branches[0].encode_decode(batch[0], [dict(img_shape=SIZE)] * 6).flatten(1)
    assert (logits @ logits.T).max() > torch.finfo(torch.float16).max
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad.isfinite().all() for p in model.branches.parameters())
