from .base import BaseSemiSegmentor, StepRecord
from .fixmatch import FixMatchSegmentor
from .mean_teacher import MeanTeacherSegmentor
from .multi_branch import MultiBranchSemiSegmentor, TriBranchSemiSegmentor
from .snapshot import Snapshot
from .unimatch import UniMatchSegmentor

__all__ = [
    'BaseSemiSegmentor',
    'FixMatchSegmentor',
    'MeanTeacherSegmentor',
    'MultiBranchSemiSegmentor',
    'Snapshot',
    'StepRecord',
    'TriBranchSemiSegmentor',
    'UniMatchSegmentor',
]
