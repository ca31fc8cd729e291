"""The pipeline of unlabelled images, derived from that of the labelled ones."""

from simeps_mmseg.datasets.unlabeled_pipeline import unlabeled_changes, unlabeled_pipeline


def test_nested_steps():
    crop = dict(type='RandomCrop', crop_size=(8, 8), cat_max_ratio=0.75)
    pipeline = [
        dict(type='LoadImageFromFile', imdecode_backend='tifffile'),
        dict(type='LoadAnnotations'),
        dict(type='RandomChoice', transforms=[[crop], [dict(type='GenerateEdge'), dict(type='RandomFlip', prob=1.0)]]),
        dict(type='Albu', transforms=[dict(type='RandomCrop', height=4, width=4)]),
    ]
    changes = unlabeled_changes(pipeline)
    assert changes == dict(RandomCrop=dict(cat_max_ratio=1.0))  # another decoder is left alone
    assert unlabeled_pipeline(pipeline, ['LoadAnnotations', 'GenerateEdge'], changes) == [
        pipeline[0],
        dict(
            type='RandomChoice',
            transforms=[[dict(crop, cat_max_ratio=1.0)], [dict(type='RandomFlip', prob=1.0)]],
        ),
        pipeline[3],
    ]
