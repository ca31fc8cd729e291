_base_ = 'schedule_20k.py'

# The length of the paper's training on NEU-Seg.
param_scheduler = [dict(type='PolyLR', eta_min=0.0, power=0.9, begin=0, end=48000, by_epoch=False)]
train_cfg = dict(max_iters=48000)
