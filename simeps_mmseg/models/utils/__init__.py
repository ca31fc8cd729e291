from .activations import heads_of, main_head, perturbed_features
from .batch_norm import average_statistics, normalised_as_at_inference, replace_sync_bn
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
from .gradients import gradients_of_this_step
from .padding import has_padding, mask_padding, without_padding
from .preprocessor import merge_preprocessors, warn_of_other_preprocessors
from .recompute import recomputed
from .sync_bn import use_plain_bn_where_sync_bn_fails
from .teachers import Teachers
from .weight_loading import (
    LoadedShare,
    below,
    fitting,
    fully_loaded,
    loaded_share,
    spread_to_branches,
    spread_to_teachers,
)

__all__ = [
    'BranchOutput',
    'LoadedShare',
    'Teachers',
    'below',
    'loaded_share',
    'average_statistics',
    'class_logits',
    'evaluation_logits',
    'fitting',
    'forward_labeled',
    'forward_unlabeled',
    'fully_loaded',
    'gradients_of_this_step',
    'has_padding',
    'heads_of',
    'is_query_head',
    'main_head',
    'mask_padding',
    'mean_logits',
    'merge_preprocessors',
    'normalised_as_at_inference',
    'one_image_fails',
    'perturbed_features',
    'recomputed',
    'replace_sync_bn',
    'spread_to_branches',
    'spread_to_teachers',
    'training_logits',
    'use_plain_bn_where_sync_bn_fails',
    'warn_of_other_preprocessors',
    'without_padding',
]
