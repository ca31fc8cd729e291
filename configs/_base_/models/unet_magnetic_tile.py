_base_ = ['unet.py', 'magnetic_tile_head.py']

model = dict(decode_head=_base_.magnetic_tile_head)
