from .channels_last import ChannelsLastHook
from .consistency_ramp import ConsistencyRampHook
from .labels_only_guard import LabelsOnlyGuardHook
from .prediction_visualization import PredictionVisualizationHook
from .preflight import ExperimentCheckHook, PreflightHook
from .pseudo_label_statistics import PseudoLabelStatisticsHook
from .semi_supervised import SemiSupervisedHook

__all__ = [
    'ChannelsLastHook',
    'ConsistencyRampHook',
    'ExperimentCheckHook',
    'LabelsOnlyGuardHook',
    'PredictionVisualizationHook',
    'PreflightHook',
    'PseudoLabelStatisticsHook',
    'SemiSupervisedHook',
]
