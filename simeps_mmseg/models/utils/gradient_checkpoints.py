"""Blocks of a network that run again in the backward pass, as its own config asks for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm

# Of MMSegmentation and MMPretrain, and of TinyViT and DenseNet there; these run again in the older, reentrant way.
REENTRANT = ('with_cp', 'use_checkpoint', 'memory_efficient')
SWITCHES = (*REENTRANT, 'grad_checkpointing')  # the last of timm

Switch = tuple[nn.Module, str]


def rerun(network: nn.Module) -> list[Switch]:
    """The switches that are on, of modules which hold batch norm; a block without runs again as it ran."""
    return [
        (module, name)
        for _, module, name in _switched_on(network, SWITCHES)
        if any(isinstance(part, _BatchNorm) for part in module.modules())
    ]


def reentrant(network: nn.Module) -> list[str]:
    """The switches that are on of blocks which run again in a backward pass of their own, such as ``0.blocks.1.with_cp``."""
    return [f'{path}.{name}' for path, _, name in _switched_on(network, REENTRANT)]


def without_running_again(model: nn.Module) -> str:
    """What to do where blocks of a model cannot run again, for the end of a message."""
    saves = ': model.branch_by_branch=True saves memory there, too' if hasattr(model, 'branch_by_branch') else ''
    return f'leave it out{saves}'


def _switched_on(network: nn.Module, names: Iterable[str]) -> Iterator[tuple[str, nn.Module, str]]:
    """Path, module and name of the switches that are on, among those with some names."""
    for path, module in network.named_modules():
        yield from ((path, module, name) for name in names if vars(module).get(name))


@contextmanager
def run_once(switches: Iterable[Switch]) -> Iterator[None]:
    """Let blocks keep their activations in place of running again."""
    switches = list(switches)
    for module, name in switches:
        setattr(module, name, False)
    try:
        yield
    finally:
        for module, name in switches:
            setattr(module, name, True)
