_base_ = [
    '../_base_/models/segformer_b0.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/schedules/schedule_20k_adamw.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps.py',
]

model = dict(branch=_base_.segformer_b0, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
