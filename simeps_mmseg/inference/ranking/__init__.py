"""Which images to label next: each assessed, kept, put in order, drawn."""

from .contact_sheet import contact_sheet
from .many_files import Assessor, assess_files, rank_files
from .one_image import GRID, assess, probabilities_and_features
from .order import RankedImage, rank
from .store import Assessments

__all__ = [
    'GRID',
    'Assessments',
    'Assessor',
    'RankedImage',
    'assess',
    'assess_files',
    'contact_sheet',
    'probabilities_and_features',
    'rank',
    'rank_files',
]
