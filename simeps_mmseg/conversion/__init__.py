"""A supervised config turned into a semi-supervised one."""

from .inputs import LAZY, check_unlabeled, load_method, load_supervised
from .plan import Plan

__all__ = ['LAZY', 'Plan', 'check_unlabeled', 'load_method', 'load_supervised']
