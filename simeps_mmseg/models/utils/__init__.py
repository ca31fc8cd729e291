from .branch import (
    BranchOutput,
    class_logits,
    evaluation_logits,
    forward_labeled,
    forward_unlabeled,
    mask_padding,
    one_image_fails,
    training_logits,
)
from .config import replace_sync_bn, walk_dicts
from .taps import heads_of, main_head, perturbed_features

__all__ = [
    'BranchOutput',
    'class_logits',
    'evaluation_logits',
    'forward_labeled',
    'forward_unlabeled',
    'heads_of',
    'main_head',
    'mask_padding',
    'one_image_fails',
    'perturbed_features',
    'replace_sync_bn',
    'training_logits',
    'walk_dicts',
]
