from .hooks import ChannelsLastHook, PredictionVisualizationHook, PreflightHook, SemiSupervisedHook
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
    'PredictionVisualizationHook',
    'PreflightHook',
    'SemiSupervisedHook',
]
