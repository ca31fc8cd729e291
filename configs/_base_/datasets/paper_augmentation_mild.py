_base_ = 'paper_augmentation.py'

# What the released code does to the images of DAGM and Magnetic Tile while training.
mild = dict(
    type='Albu',
    transforms=[
        dict(type='HorizontalFlip', p=0.5),
        dict(type='VerticalFlip', p=0.5),
        dict(type='RandomBrightnessContrast', brightness_limit=(0, 0.5), contrast_limit=(0, 0.5), p=0.5),
    ],
)
paper_pipeline = [mild if step.type == 'Albu' else step for step in _base_.paper_pipeline]
