# The U-Net of Sime et al. 2022: 1.8 M parameters, dropout in the encoder, PyTorch's own initialisation.
_base_ = '../losses.py'

norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=16,
        test_cfg=dict(size_divisor=16),
    ),
    pretrained=None,
    backbone=dict(type='DropoutUNet'),
    decode_head=dict(
        type='ConvSegHead',
        kernel_size=3,
        in_channels=16,
        in_index=4,
        channels=16,
        dropout_ratio=0.0,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
        init_cfg=None,
        loss_decode=_base_.ce_dice,
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
