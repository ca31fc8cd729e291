_base_ = 'unet.py'

# Small enough for two CPU cores.
model = dict(backbone=dict(base_channels=8), decode_head=dict(in_channels=8, channels=8))
