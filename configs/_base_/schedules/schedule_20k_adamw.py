_base_ = 'schedule_20k.py'

# Transformers and ConvNeXt want a smaller step than the U-Net, and decay.
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01))
