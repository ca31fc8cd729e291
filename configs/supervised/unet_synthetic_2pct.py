_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/synthetic_2pct.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]

# Small enough for two CPU cores.
model = dict(backbone=dict(base_channels=8), decode_head=dict(in_channels=8, channels=8))
train_dataloader = dict(batch_size=4, num_workers=1)
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
default_hooks = dict(
    checkpoint=dict(interval=200),
    channels_last=dict(type='ChannelsLastHook'),  # faster convolutions
)
