from .hooks import (
    ChannelsLastHook,
    LabelsOnlyGuardHook,
    MissedValidationHook,
    NonFiniteHook,
    PredictionVisualizationHook,
    PreflightHook,
    RandomStreamsHook,
    ResumeCheckHook,
    SemiSupervisedHook,
    StopSignalHook,
    SyncStatisticsHook,
    WholeCheckpointHook,
)
from .optimizers import (
    BFloat16OptimWrapper,
    BranchLayerDecayOptimizerConstructor,
    BranchLearningRateDecayOptimizerConstructor,
)

__all__ = [
    'BFloat16OptimWrapper',
    'BranchLayerDecayOptimizerConstructor',
    'BranchLearningRateDecayOptimizerConstructor',
    'ChannelsLastHook',
    'LabelsOnlyGuardHook',
    'MissedValidationHook',
    'NonFiniteHook',
    'PredictionVisualizationHook',
    'PreflightHook',
    'RandomStreamsHook',
    'ResumeCheckHook',
    'SemiSupervisedHook',
    'StopSignalHook',
    'SyncStatisticsHook',
    'WholeCheckpointHook',
]
