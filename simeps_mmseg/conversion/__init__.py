"""A supervised config turned into a semi-supervised one."""

from .inputs import LAZY, check_unlabeled, load_method, load_supervised
from .notes import notes
from .start import built_network, start_notes
from .statements import statements

__all__ = [
    'LAZY',
    'built_network',
    'check_unlabeled',
    'load_method',
    'load_supervised',
    'notes',
    'start_notes',
    'statements',
]
