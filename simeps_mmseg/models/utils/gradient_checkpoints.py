"""Blocks of a network that run again in the backward pass, as its own config asks for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm

# Of MMSegmentation and MMPretrain; of TinyViT and DenseNet there; of timm.
SWITCHES = ('with_cp', 'use_checkpoint', 'memory_efficient', 'grad_checkpointing')

Switch = tuple[nn.Module, str]


def rerun(network: nn.Module) -> list[Switch]:
    """The switches that are on, of modules which hold batch norm; a block without runs again as it ran."""
    return [
        (module, name)
        for module in network.modules()
        for name in SWITCHES
        if vars(module).get(name) and any(isinstance(part, _BatchNorm) for part in module.modules())
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
