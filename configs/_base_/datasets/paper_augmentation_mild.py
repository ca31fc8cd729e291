# What the released code does to the images of DAGM and Magnetic Tile while training: paper_augmentation.py.
paper_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(256, 256), keep_ratio=False, interpolation='nearest'),
    dict(
        type='Albu',
        transforms=[
            dict(type='HorizontalFlip', p=0.5),
            dict(type='VerticalFlip', p=0.5),
            dict(type='RandomBrightnessContrast', brightness_limit=(0, 0.5), contrast_limit=(0, 0.5), p=0.5),
        ],
    ),
    dict(type='PackSegInputs'),
]
