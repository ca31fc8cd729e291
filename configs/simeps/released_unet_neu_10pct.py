# As released: network, losses, schedule and augmentation. What differs: docs/configs.md.
_base_ = [
    '../_base_/models/dropout_unet.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/datasets/paper_augmentation.py',
    '../_base_/schedules/schedule_paper.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps_paper.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
train_dataloader = dict(dataset=dict(labeled=dict(pipeline=_base_.paper_pipeline)))
