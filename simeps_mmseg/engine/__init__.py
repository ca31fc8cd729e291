from .hooks import (
    ChannelsLastHook,
    LabelsOnlyGuardHook,
    PredictionVisualizationHook,
    PreflightHook,
    SemiSupervisedHook,
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
    'PredictionVisualizationHook',
    'PreflightHook',
    'SemiSupervisedHook',
]
