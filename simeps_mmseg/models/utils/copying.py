"""Copies of many tensors in few launches."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


def copy_all(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """``target.copy_(source)`` for each of two lists, with one call for each dtype and device.

    ``torch._foreach_copy_`` over several dtypes at once would launch a kernel for each tensor.
    """
    groups: dict[tuple, list[tuple[Tensor, Tensor]]] = defaultdict(list)
    for target, source in zip(targets, sources, strict=True):
        groups[target.dtype, target.device, source.dtype, source.device].append((target, source))
    for group in groups.values():
        torch._foreach_copy_([target for target, _ in group], [source for _, source in group])
