_base_ = [
    '../_base_/models/deeplabv3_r50.py',
    '../_base_/datasets/magnetic_tile_10pct.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]

model = dict(
    decode_head=dict(
        num_classes=6,
        loss_decode=[
            dict(type='CrossEntropyLoss', loss_weight=0.5, class_weight=_base_.class_weight),
            dict(type='SoftDiceLoss', loss_weight=0.5),
        ],
    ),
    auxiliary_head=dict(num_classes=6),
)
train_dataloader = dict(batch_size=4)
