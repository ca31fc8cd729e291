"""Replaces SyncBN where it cannot run: in one process, or without a GPU."""

from collections.abc import Iterable

import torch
from mmengine.dist import is_distributed
from mmengine.logging import print_log

from .batch_norm import replace_sync_bn


def use_plain_bn_where_sync_bn_fails(branches: list[dict]) -> None:
    """Turn ``SyncBN`` of branch configs into ``BN``, in place, in one process or without a GPU; log which keys changed."""
    alike = len({repr(config) for config in branches}) == 1  # not ==: they may hold arrays
    names = ['model.branch'] * len(branches) if alike else [f'model.branches[{k}]' for k in range(len(branches))]
    replace_where_sync_bn_fails(zip(names, branches), is_distributed())


def replace_where_sync_bn_fails(configs: Iterable[tuple[str, dict]], several_processes: bool) -> None:
    """Turn ``SyncBN`` into ``BN``, in place, in one process or without a GPU; log which keys changed.

    Args:
        configs: Config key and config of each network; equal ones may share their key.
        several_processes: Whether several processes train together.
    """
    if several_processes and torch.cuda.is_available():
        return
    keys = dict.fromkeys(f'{name}.{key}' for name, config in configs for key in replace_sync_bn(config))
    if keys:
        why = 'Without a GPU' if several_processes else 'One process'
        print_log(f'{why}: SyncBN becomes BN in {", ".join(keys)}', logger='current')
