"""Which images to label next: each found, assessed, kept, put in order, drawn, written."""

from .contact_sheet import contact_sheet
from .files import find_images, not_used_by
from .many_files import Assessor, assess_files, rank_files
from .one_image import GRID, assess, probabilities_and_features
from .order import RankedImage, rank
from .split import LABELED, UNLABELED, split_names, tell_of_other_suffixes, write_new_split
from .store import Assessments
from .table import write_ranking

__all__ = [
    'GRID',
    'LABELED',
    'UNLABELED',
    'Assessments',
    'Assessor',
    'RankedImage',
    'assess',
    'assess_files',
    'contact_sheet',
    'find_images',
    'not_used_by',
    'probabilities_and_features',
    'rank',
    'rank_files',
    'split_names',
    'tell_of_other_suffixes',
    'write_new_split',
    'write_ranking',
]
