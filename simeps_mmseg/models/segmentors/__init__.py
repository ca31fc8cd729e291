from .base import BaseSemiSegmentor
from .fixmatch import FixMatchSegmentor
from .inference import ENSEMBLE, OWN_TEST_OPTIONS, STUDENT, TEACHER
from .mean_teacher import MeanTeacherSegmentor
from .multi_branch import MultiBranchSemiSegmentor, TriBranchSemiSegmentor
from .step_record import StepRecord
from .unimatch import UniMatchSegmentor

__all__ = [
    'ENSEMBLE',
    'OWN_TEST_OPTIONS',
    'STUDENT',
    'TEACHER',
    'BaseSemiSegmentor',
    'FixMatchSegmentor',
    'MeanTeacherSegmentor',
    'MultiBranchSemiSegmentor',
    'StepRecord',
    'TriBranchSemiSegmentor',
    'UniMatchSegmentor',
]
