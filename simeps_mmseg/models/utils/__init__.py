from .branch import (
    BranchOutput,
    evaluation_logits,
    forward_labeled,
    forward_unlabeled,
    main_head,
    mask_padding,
    perturbed_features,
    training_logits,
)
from .config import replace_sync_bn, walk_dicts

__all__ = [
    'BranchOutput',
    'evaluation_logits',
    'forward_labeled',
    'forward_unlabeled',
    'main_head',
    'mask_padding',
    'perturbed_features',
    'replace_sync_bn',
    'training_logits',
    'walk_dicts',
]
