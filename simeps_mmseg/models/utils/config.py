"""Questions to and changes of model configs."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dist import is_distributed
from mmengine.logging import print_log


def walk_dicts(node: Any, path: str = '') -> Iterator[tuple[str, dict]]:
    """Every dict inside a config, with its dotted key, outermost first."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walk_dicts(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from walk_dicts(value, f'{path}.{index}')


def replace_sync_bn(model: dict) -> list[str]:
    """Turn every ``SyncBN`` layer of a model config into ``BN``, in place: in one process both compute the same.

    Returns:
        The dotted keys that were changed.
    """
    changed = []
    for path, node in walk_dicts(model):
        if node.get('type') == 'SyncBN':
            node['type'] = 'BN'
            changed.append(path)
    return changed


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
