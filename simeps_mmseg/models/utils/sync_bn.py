"""SyncBN where it cannot run."""

import torch
from mmengine.dist import is_distributed
from mmengine.logging import print_log

from .batch_norm import replace_sync_bn


def use_plain_bn_where_sync_bn_fails(branches: list[dict]) -> None:
    """Turn ``SyncBN`` of branch configs into ``BN``, in place, in one process or without a GPU; log which keys changed."""
    if is_distributed() and torch.cuda.is_available():
        return
    alike = len({repr(config) for config in branches}) == 1  # not ==: they may hold arrays
    names = ['model.branch'] if alike else [f'model.branches[{k}]' for k in range(len(branches))]
    changed = [replace_sync_bn(config) for config in branches]
    keys = [f'{name}.{key}' for name, own in zip(names, changed) for key in own]
    if keys:
        why = 'Without a GPU' if is_distributed() else 'One process'
        print_log(f'{why}: SyncBN becomes BN in {", ".join(keys)}', logger='current')
