"""What can be wrong with a training, found before its first iteration."""

from .experiment import check_experiment
from .start import check_class_weights, check_resumed_schedule, check_start

__all__ = ['check_class_weights', 'check_experiment', 'check_resumed_schedule', 'check_start']
