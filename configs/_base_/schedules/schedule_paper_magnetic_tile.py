_base_ = 'schedule_paper.py'

# The released code on Magnetic Tile: twice the rate of NEU-Seg, 599 epochs of 29 iterations. 51 of them are three
# validations here.
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_iters=17371, val_interval=493)
