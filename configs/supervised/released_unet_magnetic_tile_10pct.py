# Labels only with the schedule and the augmentation of the released code.
_base_ = [
    '../_base_/models/dropout_unet_magnetic_tile.py',
    '../_base_/datasets/magnetic_tile.py',
    '../_base_/datasets/paper_augmentation_mild.py',
    '../_base_/schedules/schedule_paper_magnetic_tile.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.paper_pipeline))
