_base_ = ['mmseg::_base_/models/deeplabv3plus_r50-d8.py', '../losses.py']

model = dict(
    data_preprocessor=dict(size_divisor=32),
    pretrained='open-mmlab://resnet18_v1c',
    backbone=dict(depth=18),
    decode_head=dict(
        c1_in_channels=64,
        c1_channels=12,
        in_channels=512,
        channels=128,
        num_classes=4,
        loss_decode=_base_.ce_dice,
    ),
    auxiliary_head=dict(in_channels=256, channels=64, num_classes=4),
)
