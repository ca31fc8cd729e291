"""Batch norm: whose statistics it uses, and which kind a config names."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...utils.config_tree import walk_dicts


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch norm layers of a network, SyncBN included."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


@contextmanager
def kept_statistics(network: nn.Module) -> Iterator[None]:
    """Put the running statistics of batch norm back in the end."""
    buffers = [buffer for norm in batch_norms(network) for buffer in norm.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before):
                buffer.copy_(value)


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
