# simEps-plus of three different networks: the U-Net, one with the backbone of the paper (dropout in the encoder), and one half
# as wide again. The labels-only twin is that of the first.
_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/semi_neu_seg.py',
    '../_base_/schedules/schedule_20k.py',
    '../_base_/default_runtime.py',
    '../_base_/semi/simeps_plus.py',
]

unet = _base_.model
model = dict(
    _delete_=True,
    branches=[
        unet,
        dict(unet, backbone=dict(type='DropoutUNet')),
        dict(
            unet,
            backbone=dict(unet.backbone, base_channels=24),
            decode_head=dict(unet.decode_head, in_channels=24, channels=24),
        ),
    ],
    **_base_.semi_model,
)
custom_hooks = _base_.semi_hooks
