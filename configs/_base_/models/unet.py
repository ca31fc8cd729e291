# The U-Net of the paper with MMSeg's own parts: channels 16-32-64-128-256, LeakyReLU. (No dropout in the encoder:
# MMSeg's backbone has none.)
_base_ = ['mmseg::_base_/models/fcn_unet_s5-d16.py', '../losses.py']

act_cfg = dict(type='LeakyReLU')
# PyTorch's own initialisation, as in the released code.
init_cfg = [
    dict(
        type='Kaiming',
        layer='Conv2d',
        a=5**0.5,
        mode='fan_in',
        nonlinearity='leaky_relu',
        distribution='uniform',
    ),
    dict(type='Constant', layer='BatchNorm2d', val=1),
]

model = dict(
    data_preprocessor=dict(size_divisor=16, test_cfg=dict(size_divisor=16)),
    backbone=dict(base_channels=16, act_cfg=act_cfg, init_cfg=init_cfg),
    decode_head=dict(
        in_channels=16,
        channels=16,
        num_convs=0,
        dropout_ratio=0.0,
        num_classes=4,
        init_cfg=init_cfg,
        loss_decode=_base_.ce_dice,
    ),
    auxiliary_head=None,
    test_cfg=dict(_delete_=True, mode='whole'),
)
