"""Helpers of several losses: checks of logits and targets, one-hot maps, a context without autocast."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor


class ConsistencyLoss(Protocol):
    """What a loss on what labels do not say tells the segmentor.

    Attributes:
        loss_weight: Its weight at the end of the ramp.
        ramp: Whether the weight grows with the ramp of ``SemiSupervisedHook``.
    """

    loss_weight: float
    ramp: bool


def autocast_disabled(like: Tensor) -> AbstractContextManager:
    """Context in which operations on the device of ``like`` keep the dtype they are given."""
    device_type = like.device.type
    if not torch.amp.is_autocast_available(device_type):
        return nullcontext()
    return torch.autocast(device_type=device_type, enabled=False)


def check_logits_and_target(logits: Tensor, target: Tensor) -> None:
    """Raise ``ValueError`` unless ``logits`` is (b, C >= 2, h, w) and ``target`` (b, h, w) of the same size."""
    if logits.ndim != 4 or logits.shape[1] < 2:
        raise ValueError(f'expected logits of shape (b, C, h, w) with C >= 2, got {tuple(logits.shape)}')
    expected = (logits.shape[0], *logits.shape[2:])
    if tuple(target.shape) != expected:
        raise ValueError(
            f'expected a target of shape {expected} for logits of shape {tuple(logits.shape)}, '
            f'got {tuple(target.shape)}'
        )


def check_values(target: Tensor, num_classes: int, ignore_index: int | None) -> None:
    """Refuse a target with a value that is neither a class nor ``ignore_index``, where there is one.

    On a GPU without waiting for it: the assertion is one of the device, which stops the process a little later with the
    message in its log.

    Raises:
        ValueError: On the CPU, with the values.
    """
    index = target if ignore_index is None else target.masked_fill(target == ignore_index, 0)
    known = ((index >= 0) & (index < num_classes)).all()
    advice = 'check num_classes of the head and the values in the masks'
    try:
        torch._assert_async(known, f'the target holds values that are no class, of {num_classes} classes: {advice}')
    except RuntimeError as error:
        unknown = sorted(set(index.unique().tolist()) - set(range(num_classes)))
        raise ValueError(
            f'the target holds {unknown}, but the logits have {num_classes} classes (0 to {num_classes - 1}) and '
            f'ignore_index is {ignore_index}: {advice}'
        ) from error


def one_hot(target: Tensor, num_classes: int, ignore_index: int | None) -> Tensor:
    """(b, h, w) class indices to (b, C, h, w) float32 indicators; all zero where ``target == ignore_index``."""
    classes = torch.arange(num_classes, device=target.device).view(-1, 1, 1)
    indicators = target.unsqueeze(1) == classes
    if ignore_index is not None and 0 <= ignore_index < num_classes:
        indicators = indicators & (classes != ignore_index)
    return indicators.float()
