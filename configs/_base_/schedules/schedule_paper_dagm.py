_base_ = 'schedule_paper.py'

# The released code on DAGM: twice the rate of NEU-Seg, 799 epochs of 30 iterations. 51 of them are three validations here.
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [dict(**_base_.plateau, min_value=1e-8)]
train_cfg = dict(max_iters=23970, val_interval=510)
