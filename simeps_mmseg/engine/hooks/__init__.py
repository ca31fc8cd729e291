from .channels_last import ChannelsLastHook
from .consistency_ramp import ConsistencyRampHook
from .labels_only_guard import LabelsOnlyGuardHook
from .missed_validation import MissedValidationHook
from .non_finite import NonFiniteHook
from .prediction_visualization import PredictionVisualizationHook
from .preflight import ExperimentCheckHook, PreflightHook
from .process_seeds import ProcessSeedHook
from .pseudo_label_statistics import PseudoLabelStatisticsHook
from .random_streams import RandomStreamsHook
from .resume_check import ResumeCheckHook
from .semi_supervised import SemiSupervisedHook
from .stop_signals import StopSignalHook
from .sync_statistics import SyncStatisticsHook
from .teacher_updates import TeacherUpdateHook
from .valid_json_logger import ValidJsonLoggerHook
from .whole_checkpoint import WholeCheckpointHook

__all__ = [
    'ChannelsLastHook',
    'ConsistencyRampHook',
    'ProcessSeedHook',
    'ExperimentCheckHook',
    'LabelsOnlyGuardHook',
    'MissedValidationHook',
    'NonFiniteHook',
    'PredictionVisualizationHook',
    'PreflightHook',
    'PseudoLabelStatisticsHook',
    'RandomStreamsHook',
    'ResumeCheckHook',
    'SemiSupervisedHook',
    'StopSignalHook',
    'SyncStatisticsHook',
    'TeacherUpdateHook',
    'ValidJsonLoggerHook',
    'WholeCheckpointHook',
]
