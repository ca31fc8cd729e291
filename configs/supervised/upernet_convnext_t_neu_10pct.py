_base_ = [
    '../_base_/models/upernet_mmpretrain.py',
    '../_base_/datasets/neu_seg_10pct.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['simeps_mmseg', 'mmpretrain.models'])

model = _base_.upernet_convnext_t
# ConvNeXt wants a smaller step than the U-Net, and decay.
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01))
