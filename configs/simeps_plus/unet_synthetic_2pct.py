_base_ = ['../simeps/unet_synthetic_2pct.py', '../_base_/semi/simeps_plus.py']

model = dict(_delete_=True, branch=_base_.model.branch, **_base_.simeps_plus)
custom_hooks = _base_.simeps_plus_hooks

# From the network on labels alone (load_from): fewer steps than that one, and a lower rate, as it is left at once otherwise.
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, end=600, by_epoch=False)]
train_cfg = dict(max_iters=600, val_interval=150)
