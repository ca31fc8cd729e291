"""Classes of scores are those of ``argmax``, whatever the layout, also among equal scores."""

import pytest
import torch

from simeps_mmseg.utils.class_maps import likeliest_class


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('dim', [0, 1, -3])
def test_it_is_argmax(memory_format, dtype, dim):
    scores = torch.randint(-3, 4, (5, 6, 7, 8), generator=torch.Generator().manual_seed(0)).to(dtype)  # many are equal
    scores = scores.contiguous(memory_format=memory_format)
    found = likeliest_class(scores, dim)
    assert found.dtype == torch.int64
    assert torch.equal(found, scores.argmax(dim))


def test_not_a_number_is_the_largest():
    scores = torch.tensor([[0.0, 1.0], [float('nan'), 0.0], [2.0, float('nan')]])
    assert torch.equal(likeliest_class(scores, 0), scores.argmax(0))
