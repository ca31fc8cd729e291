# UPerNet on backbones of mmpretrain, each under a name of its own: model = _base_.upernet_convnext_t. A config that uses them
# names mmpretrain.models among its custom_imports.
upernet_norm = dict(type='SyncBN', requires_grad=True)
upernet_losses = [dict(type='CrossEntropyLoss', loss_weight=0.5), dict(type='SoftDiceLoss', loss_weight=0.5)]
upernet = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=32,
    ),
    pretrained=None,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
upernet_head = dict(
    type='UPerHead',
    in_index=[0, 1, 2, 3],
    pool_scales=(1, 2, 3, 6),
    channels=128,
    dropout_ratio=0.1,
    num_classes=4,
    norm_cfg=upernet_norm,
    align_corners=False,
    loss_decode=upernet_losses,
)
upernet_convnext_t = dict(
    **upernet,
    backbone=dict(
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        out_indices=[0, 1, 2, 3],
        drop_path_rate=0.1,
        layer_scale_init_value=1.0,
        gap_before_final_norm=False,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/convnext/downstream/'
            'convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(**upernet_head, in_channels=[96, 192, 384, 768]),
)
upernet_resnet18 = dict(
    **upernet,
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=18,
        out_indices=(0, 1, 2, 3),
        norm_cfg=upernet_norm,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/resnet18_8xb32_in1k_20210831-fbbb1da6.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(**upernet_head, in_channels=[64, 128, 256, 512]),
)
