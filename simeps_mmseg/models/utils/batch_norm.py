"""Batch norm: whose statistics it uses, and which kind a config names."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...utils.config_tree import walk_dicts


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch norm layers of a network, SyncBN included."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


@contextmanager
def kept_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Let images pass through networks without moving the running statistics of batch norm.

    A momentum of zero does that. To put the statistics back afterwards would write to what the backward pass looks at.
    The images are not counted either (``num_batches_tracked``).
    """
    norms = [norm for network in networks for norm in batch_norms(network)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before):
            norm.momentum, norm.num_batches_tracked = momentum, count


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
