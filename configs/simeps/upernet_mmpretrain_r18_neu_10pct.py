_base_ = [
    '../_base_/models/upernet_mmpretrain.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps.py',
]
custom_imports = dict(imports=['simeps_mmseg', 'mmpretrain.models'])

model = dict(branch=_base_.upernet_resnet18, **_base_.semi_model)
custom_hooks = _base_.semi_hooks
