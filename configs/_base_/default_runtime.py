default_scope = 'mmseg'
custom_imports = dict(imports=['simeps_mmseg'])
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [dict(type='ValidJsonVisBackend')]
# Without a name: mmengine shares visualisers by name, and the second of two runs in one process would log into the folder
# of the first.
visualizer = dict(type='SemiSegLocalVisualizer', vis_backends=vis_backends)
log_processor = dict(by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='WholeCheckpointHook',
        by_epoch=False,
        interval=1000,
        max_keep_ckpts=2,
        save_best='mIoU_fg',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Interrupted or not, a training ends with the same weights: docs/reliability.md
    random_streams=dict(type='RandomStreamsHook'),
    missed_validation=dict(type='MissedValidationHook'),
    resume_check=dict(type='ResumeCheckHook'),
    stop_signals=dict(type='StopSignalHook'),
    non_finite=dict(type='NonFiniteHook', max_skips=100),
    sync_statistics=dict(type='SyncStatisticsHook'),
    visualization=dict(type='SegVisualizationHook'),
)

# test-time augmentation: simeps test --tta
tta_model = dict(type='SegTTAModel')
