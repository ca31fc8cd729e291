from .batch_norm import kept_statistics, replace_sync_bn
from .branch import (
    BranchOutput,
    class_logits,
    evaluation_logits,
    forward_labeled,
    forward_unlabeled,
    is_query_head,
    mean_logits,
    one_image_fails,
    training_logits,
)
from .padding import mask_padding, without_padding
from .taps import heads_of, main_head, perturbed_features

__all__ = [
    'BranchOutput',
    'class_logits',
    'evaluation_logits',
    'forward_labeled',
    'forward_unlabeled',
    'heads_of',
    'is_query_head',
    'kept_statistics',
    'main_head',
    'mask_padding',
    'mean_logits',
    'one_image_fails',
    'perturbed_features',
    'replace_sync_bn',
    'training_logits',
    'without_padding',
]
