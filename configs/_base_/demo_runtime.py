_base_ = 'default_runtime.py'

default_hooks = dict(
    checkpoint=dict(interval=200),
    channels_last=dict(type='ChannelsLastHook'),  # faster convolutions on the CPU
)
