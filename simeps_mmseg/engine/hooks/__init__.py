from .channels_last import ChannelsLastHook
from .labels_only_guard import LabelsOnlyGuardHook
from .prediction_visualization import PredictionVisualizationHook
from .preflight import PreflightHook
from .semi_supervised import SemiSupervisedHook

__all__ = [
    'ChannelsLastHook',
    'LabelsOnlyGuardHook',
    'PredictionVisualizationHook',
    'PreflightHook',
    'SemiSupervisedHook',
]
