"""The guard of what labels alone reached: what it compares with, what it remembers, what it keeps in the work folder."""

from .files import GuardFiles
from .reference import DEAD_BRANCH, Reference, empty_agreement, losses_since, not_found
from .state import GuardState

__all__ = ['DEAD_BRANCH', 'GuardFiles', 'GuardState', 'Reference', 'empty_agreement', 'losses_since', 'not_found']
