"""Batch norm of networks that teach: by the images they teach from, not by those their students saw."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm


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
