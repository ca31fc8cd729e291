_base_ = 'dropout_unet.py'

model = dict(decode_head=dict(num_classes=11))
