_base_ = ['mmseg::_base_/models/deeplabv3_r50-d8.py', '../losses.py']

model = dict(
    data_preprocessor=dict(size_divisor=32),
    decode_head=dict(
        num_classes=4,
        loss_decode=_base_.ce_dice,
    ),
    auxiliary_head=dict(num_classes=4),
)
