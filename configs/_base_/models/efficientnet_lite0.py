# EfficientNet-Lite0 of timm, with ImageNet weights that come from the package index and not from a download
# (benchmarks/efficientnet_lite0.py writes the file), and SegFormer's light head on all levels. 3.5 M parameters.
_base_ = '../losses.py'

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=32,
        test_cfg=dict(size_divisor=32),
    ),
    pretrained=None,
    backbone=dict(
        type='TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        features_only=True,
        pretrained=False,
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/efficientnet_lite0.pth'),
    ),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[16, 24, 40, 112, 320],
        in_index=[0, 1, 2, 3, 4],
        channels=64,
        dropout_ratio=0.1,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=_base_.ce_dice,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
