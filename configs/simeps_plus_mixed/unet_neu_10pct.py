# simEps-plus of three different networks: the U-Net, one with the backbone of the paper (dropout in the encoder), and one half
# as wide again. The labels-only twin is that of the first.
_base_ = ['../simeps/unet_neu_10pct.py', '../_base_/semi/simeps_plus.py']

unet = _base_.model.branch
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
    **_base_.simeps_plus,
)
custom_hooks = _base_.simeps_plus_hooks
