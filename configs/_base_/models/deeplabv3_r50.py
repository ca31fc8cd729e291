_base_ = 'mmseg::_base_/models/deeplabv3_r50-d8.py'

model = dict(
    data_preprocessor=dict(size_divisor=32),
    decode_head=dict(
        num_classes=4,
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_weight=0.5),
            dict(type='SoftDiceLoss', loss_weight=0.5),
        ],
    ),
    auxiliary_head=dict(num_classes=4),
)
