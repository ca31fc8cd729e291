"""What can be wrong with a training, found before its first iteration."""

from .experiment import check_experiment
from .start import check_class_weights, check_resumed_schedule, check_start
from .trained_network import STILL_RISING, built_network, start_notes

__all__ = [
    'STILL_RISING',
    'built_network',
    'check_class_weights',
    'check_experiment',
    'check_resumed_schedule',
    'check_start',
    'start_notes',
]
