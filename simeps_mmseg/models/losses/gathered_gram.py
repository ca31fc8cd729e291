"""Inner products between the images of a batch, within one process or over several."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from mmengine.dist import is_distributed
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...utils import UserError
from .utils import autocast_disabled

LONGEST = 8  # dimensions of a tensor of features, at most


def gram_matrix(features: Tensor) -> Tensor:
    """F F^T of features (b, ...), each image flattened to one row: (b, b), float32, computed outside autocast."""
    with autocast_disabled(features):
        flat = features.flatten(start_dim=1).float()
        return flat @ flat.T


def gathered_gram_matrix(features: Tensor) -> Tensor:
    """:func:`gram_matrix` of the images of all processes, rank by rank, with gradient; of its own where there is one process.

    No process needs the features of all images. Each gets an R-th of every image's row, in the dtype that the features have;
    the sum of the R products over these parts is the Gram matrix. The gradient takes the same way back. So a process sends
    2 (R - 1) / R times its features in a step, where to gather them all takes 2 (R - 1) times, in float32.

    Every process then computes the loss of the global batch. Backward sums the gradients of all processes into the
    local part; data parallelism averages over processes, so R processes with b images each train as one with R b.

    Args:
        features: Shape (b, ...), the same on every process (:class:`SameShapes`).

    Returns:
        Shape (R b, R b), float32.
    """
    if not is_distributed() or dist.get_world_size() == 1:
        return gram_matrix(features)
    return _GatheredGram.apply(features.flatten(start_dim=1))


class _GatheredGram(torch.autograd.Function):
    """From the rows (b, d) of one process to the Gram matrix (R b, R b) of all."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        columns = _exchange_rows(rows)
        ctx.save_for_backward(columns)
        ctx.length = rows.shape[1]
        gram = gram_matrix(columns)
        dist.all_reduce(gram)
        return gram

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (columns,) = ctx.saved_tensors
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)  # of the losses of all processes
        with autocast_disabled(columns):
            own = (gradient + gradient.T) @ columns.float()
        return _exchange_columns(own.to(columns.dtype))[:, : ctx.length]


def _exchange_rows(rows: Tensor) -> Tensor:
    """From whole rows of one process's images, (b, d), to an R-th of the rows of all images, (R b, ceil(d / R))."""
    world_size = dist.get_world_size()
    padding = -rows.shape[1] % world_size
    parts = F.pad(rows, (0, padding)) if padding else rows
    parts = parts.unflatten(1, (world_size, -1)).transpose(0, 1).contiguous()
    received = torch.empty_like(parts)
    dist.all_to_all_single(received, parts)
    return received.flatten(0, 1)


def _exchange_columns(columns: Tensor) -> Tensor:
    """The inverse of :func:`_exchange_rows`, but for what the rows were padded with."""
    parts = columns.unflatten(0, (dist.get_world_size(), -1)).contiguous()
    received = torch.empty_like(parts)
    dist.all_to_all_single(received, parts)
    return received.transpose(0, 1).flatten(1)


class SameShapes:
    """Sees to it that features have the same shapes on all processes: collectives over others hang or crash without a word.

    Each check is one small collective. Its result is looked at, for which a GPU has to be waited for, only where this process
    meets shapes for the first time.
    """

    def __init__(self) -> None:
        self._summaries: dict[tuple, Tensor] = {}

    def check(self, features: Sequence[Tensor]) -> None:
        """Compare with the other processes; does nothing where there is one process.

        Args:
            features: One tensor per branch.

        Raises:
            UserError: If shapes differ.
        """
        if not is_distributed() or dist.get_world_size() == 1:
            return
        shapes, device = tuple(tuple(feature.shape) for feature in features), features[0].device
        summary = self._summaries.get((shapes, device))
        is_known = summary is not None
        if summary is None:
            padded = [[*shape, *[0] * (LONGEST - len(shape))] for shape in shapes]
            summary = torch.tensor(padded, dtype=torch.int64, device=device)
        found = [torch.empty_like(summary) for _ in range(dist.get_world_size())]
        dist.all_gather(found, summary)
        if is_known and device.type != 'cpu':
            return
        if any(not torch.equal(other, summary) for other in found):
            listed = [sorted({tuple(filter(None, shape)) for shape in other.tolist()}) for other in found]
            raise UserError(
                'gather=True needs features of one shape on all processes, got '
                f'{", ".join(f"{shapes} on rank {rank}" for rank, shapes in enumerate(listed))}: resize or crop the training '
                'images to one size and give every process the same number of labelled and unlabelled images'
            )
        self._summaries[shapes, device] = summary
