import pytest
import torch
from mmseg.registry import MODELS

from simeps_mmseg.models import DropoutUNet
from simeps_mmseg.models.utils import forward_unlabeled


def segmentor(**backbone):
    head = dict(
        type='ConvSegHead',
        in_channels=16,
        in_index=4,
        channels=16,
        num_classes=4,
        dropout_ratio=0.0,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss'),
    )
    return MODELS.build(
        dict(
            type='EncoderDecoder',
            backbone=dict(type='DropoutUNet', **backbone),
            decode_head=head,
            test_cfg=dict(mode='whole'),
        )
    )


def block(i, o):
    """Parameters of two convolutions with bias and two batch norms."""
    return 9 * i * o + o + 9 * o * o + o + 4 * o


@pytest.mark.parametrize(('upsample', 'kernel', 'millions'), [('bilinear', 1, 1.8), ('transposed', 4, 1.9)])
def test_parameters_are_those_of_the_layers(upsample, kernel, millions):
    widths = [16, 32, 64, 128, 256]
    expected = sum(block(i, o) for i, o in zip([3, *widths], widths))
    expected += sum(kernel * i * o + o + block(2 * o, o) for i, o in zip(widths[:0:-1], widths[-2::-1]))
    expected += 9 * 16 * 4 + 4
    model = segmentor(upsample=upsample)
    assert sum(p.numel() for p in model.parameters()) == expected
    assert round(expected / 1e6, 1) == millions


def test_levels_run_from_deep_to_the_size_of_the_image():
    outputs = DropoutUNet()(torch.randn(2, 3, 32, 48))
    assert [tuple(o.shape) for o in outputs] == [
        (2, 256, 2, 3),
        (2, 128, 4, 6),
        (2, 64, 8, 12),
        (2, 32, 16, 24),
        (2, 16, 32, 48),
    ]


def test_dropout_is_in_the_encoder_alone():
    rates = [[m.p for m in part.modules() if isinstance(m, torch.nn.Dropout)] for part in _parts(DropoutUNet())]
    assert rates == [[0.05, 0.1, 0.2, 0.3, 0.5], [0.0] * 4]


def _parts(unet):
    return unet.encoder, unet.decoder


def test_as_a_branch():
    model = segmentor().train()
    output = forward_unlabeled(model, torch.randn(2, 3, 32, 32), [{}, {}])
    assert output.logits.shape == (2, 4, 32, 32)
    assert output.encoder.shape == (2, 256, 2, 2)
    assert output.decoder.shape == (2, 16, 32, 32)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(dropout=(0.1,)), 'a dropout rate for each'),
        (dict(channels=(8,), dropout=(0.1,)), 'two levels'),
        (dict(upsample='nearest'), "got 'nearest'"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        DropoutUNet(**changes)


def test_size_that_does_not_halve_is_refused():
    with pytest.raises(ValueError, match='40 x 32 is no multiple of 16; set size_divisor=16'):
        DropoutUNet()(torch.randn(1, 3, 40, 32))


def test_head_without_a_layer_in_between():
    with pytest.raises(ValueError, match='in_channels=16 and channels=8'):
        MODELS.build(dict(type='ConvSegHead', in_channels=16, channels=8, num_classes=4))
