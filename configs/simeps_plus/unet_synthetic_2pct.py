_base_ = [
    '../_base_/models/unet_synthetic.py',
    '../_base_/datasets/semi_synthetic.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/demo_runtime.py',
    '../_base_/semi/simeps_plus.py',
]

model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
custom_hooks = _base_.semi_hooks

# From the network on labels alone (load_from), so it takes fewer steps than that one.
param_scheduler = [dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, end=1200, by_epoch=False)]
train_cfg = dict(max_iters=1200, val_interval=300)
