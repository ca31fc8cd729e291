# What the released code does to the images of NEU-Seg while training, the unlabelled ones too, by the library that it uses:
# albumentations, which does not come with this package (docs/configs.md).
paper_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False, interpolation='nearest'),
    dict(
        type='Albu',
        transforms=[
            dict(type='HorizontalFlip', p=0.4),
            dict(type='VerticalFlip', p=0.4),
            dict(type='RandomBrightnessContrast', brightness_limit=(0, 0.5), contrast_limit=(0, 0.5), p=0.5),
            dict(type='Blur', blur_limit=(3, 7), p=0.3),
            dict(type='RandomRotate90', p=0.3),
            # A variance of 10 to 50 in grey levels, the library's default at that time.
            dict(type='GaussNoise', std_range=(0.0124, 0.0277), p=0.3),
        ],
    ),
    dict(type='PackSegInputs'),
]
