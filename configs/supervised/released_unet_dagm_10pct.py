# Labels only with the schedule and the augmentation of the released code.
_base_ = [
    '../_base_/models/dropout_unet_dagm.py',
    '../_base_/datasets/dagm.py',
    '../_base_/datasets/paper_augmentation_mild.py',
    '../_base_/schedules/schedule_paper_dagm.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(pipeline=_base_.paper_pipeline))
