"""Going on with a training: from which file, and whether it is still the same training."""

from .checkpoint_files import (
    POINTER,
    fault_of,
    name_template,
    newest_whole,
    own_file,
    periodic_checkpoints,
    periodic_pattern,
)
from .choice import choose_checkpoint
from .experiment_record import changes, experiment_record, refusals
from .proven import last_proven
from .rate import rate_ratio, scale_rate
from .seed import settle_seed

__all__ = [
    'POINTER',
    'changes',
    'choose_checkpoint',
    'experiment_record',
    'fault_of',
    'last_proven',
    'name_template',
    'newest_whole',
    'own_file',
    'periodic_checkpoints',
    'periodic_pattern',
    'rate_ratio',
    'refusals',
    'scale_rate',
    'settle_seed',
]
