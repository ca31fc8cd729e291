from .channels_last import ChannelsLastHook
from .prediction_visualization import PredictionVisualizationHook
from .preflight import PreflightHook
from .semi_supervised import SemiSupervisedHook

__all__ = ['ChannelsLastHook', 'PredictionVisualizationHook', 'PreflightHook', 'SemiSupervisedHook']
