"""A supervised config turned into a semi-supervised one."""

from .inputs import LAZY, check_unlabeled, load_method, load_supervised
from .notes import notes
from .starts import joined_networks, start_beside
from .statements import statements

__all__ = [
    'LAZY',
    'check_unlabeled',
    'joined_networks',
    'load_method',
    'load_supervised',
    'notes',
    'start_beside',
    'statements',
]
