from .base import BaseSemiSegmentor
from .consistency_weights import ConsistencyWeights
from .fixmatch import FixMatchSegmentor
from .inference import ENSEMBLE, OWN_TEST_OPTIONS, STUDENT, TEACHER, BranchInference
from .mean_teacher import MeanTeacherSegmentor
from .multi_branch import MultiBranchSemiSegmentor, TriBranchSemiSegmentor
from .step_record import StepRecord
from .training_step import TrainingStep
from .unimatch import UniMatchSegmentor

__all__ = [
    'ENSEMBLE',
    'OWN_TEST_OPTIONS',
    'STUDENT',
    'TEACHER',
    'BaseSemiSegmentor',
    'BranchInference',
    'ConsistencyWeights',
    'FixMatchSegmentor',
    'MeanTeacherSegmentor',
    'MultiBranchSemiSegmentor',
    'StepRecord',
    'TrainingStep',
    'TriBranchSemiSegmentor',
    'UniMatchSegmentor',
]
