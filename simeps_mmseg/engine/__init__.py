from .hooks import ChannelsLastHook, PredictionVisualizationHook, SemiSupervisedHook
from .optimizers import BFloat16OptimWrapper

__all__ = ['BFloat16OptimWrapper', 'ChannelsLastHook', 'PredictionVisualizationHook', 'SemiSupervisedHook']
