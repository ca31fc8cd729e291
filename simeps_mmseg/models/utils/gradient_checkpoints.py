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
        for module in network.modules()
        for name in SWITCHES
        if vars(module).get(name) and any(isinstance(part, _BatchNorm) for part in module.modules())
    ]


def reentrant(network: nn.Module) -> list[str]:
    """The switches that are on of blocks which run again in a backward pass of their own, such as ``0.blocks.1.with_cp``."""
    return [
        f'{path}.{name}'
        for path, module in network.named_modules()
        for name in REENTRANT
        if vars(module).get(name) is True
    ]


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
