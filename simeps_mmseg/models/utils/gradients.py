"""Gradients of one step, apart from those that earlier batches have left to be summed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def gradients_of_this_step(network: nn.Module) -> Iterator[None]:
    """Put the gradients of earlier batches aside, and add those of this one afterwards.

    So several backward passes sum to what one would have given, bit for bit: (a + b) is added, not a and then b.
    """
    earlier = [(parameter, parameter.grad) for parameter in network.parameters() if parameter.grad is not None]
    for parameter, _ in earlier:
        parameter.grad = None
    yield
    sums = [(before, parameter.grad) for parameter, before in earlier if parameter.grad is not None]
    if sums:
        torch._foreach_add_([before for before, _ in sums], [new for _, new in sums])
    for parameter, before in earlier:
        parameter.grad = before
