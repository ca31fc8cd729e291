"""What the losses share."""

import torch
from torch import Tensor


def autocast_disabled(like: Tensor) -> torch.autocast:
    """Context in which operations on the device of ``like`` keep the dtype they are given."""
    return torch.autocast(device_type=like.device.type, enabled=False)


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


def check_values(target: Tensor, num_classes: int, ignore_index: int) -> None:
    """Raise ``ValueError`` if a value of ``target`` is neither a class nor ``ignore_index``. Waits for the device."""
    index = target.masked_fill(target == ignore_index, 0)
    if index.numel() and (index.min() < 0 or index.max() >= num_classes):
        unknown = sorted(set(index.unique().tolist()) - set(range(num_classes)))
        raise ValueError(
            f'the target holds {unknown}, but the logits have {num_classes} classes (0 to {num_classes - 1}) and '
            f'ignore_index is {ignore_index}: check num_classes of the head and the values in the masks'
        )


def one_hot(target: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """(b, h, w) class indices to (b, C, h, w) float32 indicators; all zero where ``target == ignore_index``."""
    ignored = target == ignore_index
    index = target.masked_fill(ignored, 0)
    indicators = torch.zeros(target.shape[0], num_classes, *target.shape[1:], dtype=torch.float32, device=target.device)
    return indicators.scatter_(1, index.unsqueeze(1), (~ignored).unsqueeze(1).float())
