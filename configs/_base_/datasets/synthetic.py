_base_ = 'defect.py'

# Images come in the size that they are trained at.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackSegInputs'),
]
unlabeled_pipeline = [step for step in train_pipeline if step['type'] != 'LoadAnnotations']
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **source))
unlabeled_dataset = dict(pipeline=unlabeled_pipeline, **source)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **source))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **source))
