# Three different networks teach each other: a CNN, a transformer and a backbone of mmpretrain. The labels-only twin is that of
# the first.
_base_ = [
    '../_base_/models/deeplabv3plus_r18.py',
    '../_base_/models/segformer_b0.py',
    '../_base_/models/upernet_mmpretrain.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps.py',
]
custom_imports = dict(imports=['simeps_mmseg', 'mmpretrain.models'])

model = dict(
    _delete_=True,
    branches=[_base_.model, _base_.segformer_b0, _base_.upernet_convnext_t],
    **_base_.semi_model,
)
custom_hooks = _base_.semi_hooks
# Each as it trains alone: the CNN with Adam's 1e-3, the others with a tenth of it.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'branches.1': dict(lr_mult=0.1), 'branches.2': dict(lr_mult=0.1)}),
)
