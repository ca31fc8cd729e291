_base_ = [
    '../_base_/models/deeplabv3_r50_dagm.py',
    '../_base_/datasets/dagm.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=4)
