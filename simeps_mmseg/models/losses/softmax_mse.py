"""The consistency cost of Mean Teacher."""

import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from .utils import autocast_disabled


def softmax_mse(logits: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean squared difference of two softmax maps.

    Source: Tarvainen and Valpola, NeurIPS 2017 (Mean Teacher), the consistency cost.

    Args:
        logits: Of the student, shape (b, C, h, w).
        target: *Probabilities* of the teacher, the same shape, detached.
        counted: Pixels that count, shape (b, h, w), bool. None: all.

    Returns:
        Scalar float32: mean over pixels and classes.
    """
    with autocast_disabled(logits):
        difference = (logits.float().softmax(dim=1) - target.float()).square().mean(dim=1)
        return difference.mean() if counted is None else (difference * counted).sum() / counted.sum().clamp(min=1)


@MODELS.register_module()
class SoftmaxMSELoss(nn.Module):
    """:func:`softmax_mse` with a weight.

    Args:
        loss_weight: Factor on the value.
        ramp: Whether the weight grows with the ramp of ``SemiSupervisedHook``.
    """

    def __init__(self, loss_weight: float = 1.0, ramp: bool = True) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.ramp = ramp

    def forward(self, logits: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
        """Weighted loss of logits against probabilities, both (b, C, h, w): a scalar."""
        return self.loss_weight * softmax_mse(logits, target, counted)
