_base_ = [
    '../_base_/models/upernet_mmpretrain.py',
    '../_base_/datasets/neu_seg.py',
    '../_base_/schedules/schedule_20k_adamw.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['simeps_mmseg', 'mmpretrain.models'])

model = _base_.upernet_convnext_t
