_base_ = [
    '../_base_/models/efficientnet_lite0.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
