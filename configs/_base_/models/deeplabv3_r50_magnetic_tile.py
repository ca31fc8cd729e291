_base_ = ['deeplabv3_r50.py', 'magnetic_tile_head.py']

model = dict(decode_head=_base_.magnetic_tile_head, auxiliary_head=dict(num_classes=6))
