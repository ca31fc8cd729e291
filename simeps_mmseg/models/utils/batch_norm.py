"""Batch norm: whose statistics it uses, and which kind a config names."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from mmengine.dist import all_reduce, is_distributed
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ...utils.config_tree import walk_dicts
from .batch_renorm import renormalising
from .gradient_checkpoints import rerun, run_once


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch norm layers of a network, SyncBN included."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def running_statistics(network: nn.Module) -> list[Tensor]:
    """The buffers of all norm layers of a network that gather statistics while they train."""
    norms = [module for module in network.modules() if module.training and hasattr(module, 'running_mean')]
    return [buffer for module in norms for buffer in module.buffers(recurse=False)]


@contextmanager
def kept_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Let images pass through networks without moving the running statistics of batch norm.

    A momentum of zero does that. To put the statistics back afterwards would write to what the backward pass looks at.
    The images are not counted either (``num_batches_tracked``); SyncBN, which insists on a count, has one that is thrown away.
    """
    norms = [norm for network in networks for norm in batch_norms(network)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        count = norm.num_batches_tracked if isinstance(norm, nn.SyncBatchNorm) else None
        norm.momentum, norm.num_batches_tracked = 0.0, None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before):
            norm.momentum, norm.num_batches_tracked = momentum, count


@contextmanager
def normalised_as_at_inference(networks: Iterable[nn.Module], renorm: bool = False) -> Iterator[None]:
    """Let images pass through networks whose batch norm goes by its running statistics, and leaves them; all else trains.

    Blocks with batch norm that their config lets run again in the backward pass (``with_cp``) keep their activations: that
    run would come after this one has ended, and normalise as in training.

    Args:
        networks: In training mode; a layer that is frozen stays so.
        renorm: Whether the gradient is that of training: :func:`batch_renorm`. A layer that normalises by other means than
            ``F.batch_norm`` keeps that of inference.
    """
    renormalised: list[_BatchNorm] = []
    others: list[_BatchNorm] = []
    networks = list(networks)
    for network in networks:
        for norm in filter(lambda one: one.training, batch_norms(network)):
            (renormalised if renorm and norm.track_running_stats else others).append(norm)
    for norm in others:
        norm.training = False
    try:
        with renormalising(renormalised), run_once(switch for network in networks for switch in rerun(network)):
            yield
    finally:
        for norm in others:
            norm.training = True


@torch.no_grad()
def average_statistics(networks: Iterable[nn.Module]) -> None:
    """Give all processes the mean over processes of the running statistics of batch norm, in place.

    Each process normalises by the variance within its own images, so the mean of those variances is what evaluation has to
    use. One collective for all networks. Summed in float64, so that statistics which are the same everywhere (``SyncBN``,
    frozen layers) keep every bit. Does nothing in a single process.
    """
    if not is_distributed():
        return
    norms = [norm for network in networks for norm in batch_norms(network)]
    found = [value for norm in norms for value in (norm.running_mean, norm.running_var)]
    statistics = [value for value in found if value is not None]
    if not statistics:
        return
    flat = torch.cat([value.double().flatten() for value in statistics])
    all_reduce(flat, op='mean')
    for value, mean in zip(statistics, flat.split([value.numel() for value in statistics])):
        value.copy_(mean.view_as(value))


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
