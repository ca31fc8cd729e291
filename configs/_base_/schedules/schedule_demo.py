_base_ = 'schedule_20k.py'

# Until validation stops rising, short enough for two CPU cores.
param_scheduler = [dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, end=2000, by_epoch=False)]
train_cfg = dict(max_iters=2000, val_interval=250)
optim_wrapper = dict(optimizer=dict(fused=True))  # one call for all parameters, which are small here
