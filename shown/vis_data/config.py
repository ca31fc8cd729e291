custom_hooks = [
    dict(health_interval=2, type='SemiSupervisedHook'),
]
custom_imports = dict(
    imports=[
        'simeps_mmseg',
    ]
)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=2, type='CheckpointHook'),
    logger=dict(interval=1, log_metric_by_epoch=False, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'),
    visualization=dict(draw=True, type='SegVisualizationHook'),
)
default_scope = 'mmseg'
env_cfg = dict(cudnn_benchmark=False)
launcher = 'none'
load_from = '/tmp/pytest-of-root/pytest-9/test_train_resume_test0/run/iter_4.pth'
log_processor = dict(by_epoch=False)
model = dict(
    branch=dict(
        auxiliary_head=None,
        backbone=dict(
            base_channels=4,
            dec_dilations=(1,),
            dec_num_convs=(1,),
            downsamples=(True,),
            enc_dilations=(
                1,
                1,
            ),
            enc_num_convs=(
                1,
                1,
            ),
            norm_cfg=dict(requires_grad=True, type='BN'),
            num_stages=2,
            strides=(
                1,
                1,
            ),
            type='UNet',
        ),
        data_preprocessor=dict(
            bgr_to_rgb=True,
            mean=[
                120.0,
                120.0,
                120.0,
            ],
            size_divisor=8,
            std=[
                60.0,
                60.0,
                60.0,
            ],
            type='SegDataPreProcessor',
        ),
        decode_head=dict(
            align_corners=False,
            channels=4,
            concat_input=False,
            dropout_ratio=0.0,
            in_channels=4,
            in_index=1,
            loss_decode=[
                dict(loss_weight=0.5, type='CrossEntropyLoss'),
                dict(loss_weight=0.5, type='SoftDiceLoss'),
            ],
            norm_cfg=dict(requires_grad=True, type='BN'),
            num_classes=4,
            num_convs=1,
            type='FCNHead',
        ),
        test_cfg=dict(mode='whole'),
        type='EncoderDecoder',
    ),
    cross_pseudo=dict(type='CrossPseudoLoss'),
    similarity=dict(type='SimilarityConsistencyLoss'),
    test_cfg=dict(branch_predictions=True),
    type='TriBranchSemiSegmentor',
)
optim_wrapper = dict(optimizer=dict(lr=0.001, type='Adam'), type='OptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=4, eta_min=0.0, power=0.9, type='PolyLR'),
]
randomness = dict(seed=0)
resume = False
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ann_file='splits/test.txt',
        data_prefix=dict(img_path='images', seg_map_path='annotations'),
        data_root='/tmp/pytest-of-root/pytest-9/data0/synthetic',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
        type='SyntheticDefectDataset',
    ),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'),
)
test_evaluator = dict(
    keep_results=True, output_dir='/tmp/pytest-of-root/pytest-9/test_train_resume_test0/masks', type='DefectIoUMetric'
)
train_cfg = dict(max_iters=4, type='IterBasedTrainLoop', val_interval=4)
train_dataloader = dict(
    batch_size=6,
    dataset=dict(
        datasets=[
            dict(
                ann_file='splits/seed0/25pct_labeled.txt',
                data_prefix=dict(img_path='images', seg_map_path='annotations'),
                data_root='/tmp/pytest-of-root/pytest-9/data0/synthetic',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='LoadAnnotations'),
                    dict(type='PackSegInputs'),
                ],
                type='SyntheticDefectDataset',
            ),
            dict(
                ann_file='splits/seed0/25pct_unlabeled.txt',
                data_prefix=dict(img_path='images'),
                data_root='/tmp/pytest-of-root/pytest-9/data0/synthetic',
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='PackSegInputs'),
                ],
                type='SyntheticDefectDataset',
            ),
        ],
        type='ConcatDataset',
    ),
    num_workers=0,
    sampler=dict(num_labeled=2, num_unlabeled=4, type='LabeledUnlabeledSampler'),
)
tta_model = dict(type='SegTTAModel')
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        transforms=[
            [
                dict(prob=0.0, type='RandomFlip'),
                dict(direction='horizontal', prob=1.0, type='RandomFlip'),
            ],
            [
                dict(type='LoadAnnotations'),
            ],
            [
                dict(type='PackSegInputs'),
            ],
        ],
        type='TestTimeAug',
    ),
]
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ann_file='splits/seed0/val.txt',
        data_prefix=dict(img_path='images', seg_map_path='annotations'),
        data_root='/tmp/pytest-of-root/pytest-9/data0/synthetic',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
        type='SyntheticDefectDataset',
    ),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'),
)
val_evaluator = dict(type='DefectIoUMetric')
visualizer = dict(
    name='visualizer',
    save_dir='shown',
    type='SegLocalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
    ],
)
work_dir = '/tmp/pytest-of-root/pytest-9/test_train_resume_test0/run'
