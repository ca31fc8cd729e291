from .base import BaseSemiSegmentor, StepRecord
from .fixmatch import FixMatchSegmentor
from .mean_teacher import MeanTeacherSegmentor
from .multi_branch import MultiBranchSemiSegmentor, TriBranchSemiSegmentor
from .unimatch import UniMatchSegmentor

__all__ = [
    'BaseSemiSegmentor',
    'FixMatchSegmentor',
    'MeanTeacherSegmentor',
    'MultiBranchSemiSegmentor',
    'StepRecord',
    'TriBranchSemiSegmentor',
    'UniMatchSegmentor',
]
