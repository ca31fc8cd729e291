# As released: network, losses, schedule and augmentation. What differs: docs/configs.md.
_base_ = [
    '../_base_/models/dropout_unet_dagm.py',
    '../_base_/datasets/semi_dagm.py',
    '../_base_/datasets/paper_augmentation_mild.py',
    '../_base_/schedules/schedule_paper_dagm.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps_paper_dagm.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
train_dataloader = dict(dataset=dict(labeled=dict(pipeline=_base_.paper_pipeline)))
