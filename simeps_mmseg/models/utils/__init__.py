from .branch import BranchOutput, forward_labeled, forward_unlabeled, main_head, mask_padding
from .config import replace_sync_bn, walk_dicts

__all__ = [
    'BranchOutput',
    'forward_labeled',
    'forward_unlabeled',
    'main_head',
    'mask_padding',
    'replace_sync_bn',
    'walk_dicts',
]
