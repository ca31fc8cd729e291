_base_ = 'defect.py'

image_size = (96, 96)  # as generated: nothing is resized
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='RandomFlip', prob=0.0),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='vertical'),
            ],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]

source = dict(type='SyntheticDefectDataset', data_root='data/synthetic')
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(ann_file='splits/seed0/2pct_labeled.txt', pipeline=train_pipeline, **source),
)
val_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=test_pipeline, **source))
test_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(pipeline=test_pipeline, **source))
