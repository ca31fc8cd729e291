"""What was exported, compared with the model."""

import pytest
import torch
from mmengine.config import Config

from simeps_mmseg.inference.export_comparison import check_difference, prepared
from simeps_mmseg.utils import UserError


@pytest.mark.parametrize(('threshold', 'share'), [(0.0, '100.0000'), (0.45, '75.0000')])
def test_pixels_of_one_channel_are_compared_at_the_threshold(capsys, threshold, share):
    expected, found = torch.tensor([0.1, 0.4, 0.5, 0.9]), torch.tensor([0.1, 0.5, 0.5, 0.9])
    check_difference([(expected.view(1, 2, 2), found.view(1, 2, 2))], 1.0, 'four pixels', threshold)
    assert f'same class on {share} % of the pixels' in capsys.readouterr().out


def test_a_pipeline_may_resize_by_a_factor():
    pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale_factor=0.5), dict(type='PackSegInputs')]
    (image, *_), size = prepared(Config(dict(test_pipeline=pipeline)), [], (16, 24))
    assert (tuple(image.shape), size) == ((3, 16, 24), (16, 24))
    with pytest.raises(UserError, match='leaves images of any size'):
        prepared(Config(dict(test_pipeline=pipeline)), [], None)


def test_small_logits_are_not_printed_as_none(capsys):
    logits = torch.tensor([0.01, -0.0412]).view(2, 1, 1)
    check_difference([(logits, logits)], 1e-5, 'a pixel')
    assert 'largest logit 0.0412)' in capsys.readouterr().out
