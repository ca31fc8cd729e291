_base_ = [
    '../_base_/models/deeplabv3_r50.py',
    '../_base_/datasets/dagm_10pct.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]

model = dict(decode_head=dict(num_classes=11), auxiliary_head=dict(num_classes=11))
train_dataloader = dict(batch_size=4)
