"""Batch renormalization: images are normalised as at inference, and teach as in training."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode


def batch_renorm(norm: _BatchNorm, inputs: Tensor) -> Tensor:
    """Batch norm with the values of inference and the gradient of training.

    Images are normalised by the running statistics, as at inference. The gradient is that of images normalised by their own
    batch: it leaves out what would only move or scale the whole batch, which the running statistics, too old by some steps, do
    not take back. A layer that sees one value for each channel, and so has no batch, has the gradient of inference.

    The batch is that of one process, with SyncBN, too.

    Source: Ioffe, NeurIPS 2017 (Batch Renormalization), with r and d without limits.

    Args:
        norm: A layer with running statistics, which stay.
        inputs: Shape (b, c) or (b, c, ...).

    Returns:
        Same shape.
    """
    if inputs.numel() == inputs.shape[1]:
        running = norm.running_mean, norm.running_var
        return F.batch_norm(inputs, *running, norm.weight, norm.bias, training=False, eps=norm.eps)
    assert norm.running_mean is not None and norm.running_var is not None
    with torch.no_grad():
        mean, var = moments(inputs)
        scale = torch.rsqrt(norm.running_var + norm.eps)
        shift = (mean - norm.running_mean) * scale
        scale = scale * (var + norm.eps).sqrt()
    if norm.weight is not None:
        scale, shift = scale * norm.weight, shift * norm.weight
    if norm.bias is not None:
        shift = shift + norm.bias
    return F.batch_norm(inputs, None, None, scale, shift, training=True, eps=norm.eps)


def moments(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (divided by the number of values) of each channel, in float32 or wider.

    On a CPU in two passes, as exact as ``torch.var_mean``, which takes about ten times as long there; elsewhere it is one
    launch in place of four.

    Args:
        inputs: Shape (b, c) or (b, c, ...).

    Returns:
        Two of shape (c,).
    """
    wide = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
    dims = [0, *range(2, inputs.dim())]
    if not wide.is_cpu:
        var, mean = torch.var_mean(wide, dims, correction=0)
        return mean, var
    mean = wide.mean(dims, keepdim=True)
    return mean.flatten(), (wide - mean).square_().mean(dims)


class _InPlaceOfBatchNorm(TorchFunctionMode):
    """While a layer runs: :func:`batch_renorm` where its code calls ``F.batch_norm``."""

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.norm = norm

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is F.batch_norm and args[1] is self.norm.running_mean:
            return batch_renorm(self.norm, args[0])
        return func(*args, **(kwargs or {}))


def _with_what_follows(norm: _BatchNorm, *args: Any, **kwargs: Any) -> Tensor:
    """The forward pass of a layer that does more than normalise: timm's may drop and activate as well."""
    training = norm.training
    norm.training = False  # no image is counted
    try:
        with _InPlaceOfBatchNorm(norm):
            return type(norm).forward(norm, *args, **kwargs)
    finally:
        norm.training = training


@contextmanager
def renormalising(norms: Iterable[_BatchNorm]) -> Iterator[None]:
    """Let layers that keep running statistics compute :func:`batch_renorm` in place of batch norm."""
    norms = list(norms)
    for norm in norms:
        plain = type(norm).forward in (_BatchNorm.forward, nn.SyncBatchNorm.forward)
        vars(norm)['forward'] = partial(batch_renorm if plain else _with_what_follows, norm)
    try:
        yield
    finally:
        for norm in norms:
            del vars(norm)['forward']


def is_renormalising(norm: _BatchNorm) -> bool:
    """Whether a layer is within :func:`renormalising`."""
    return isinstance(vars(norm).get('forward'), partial)
