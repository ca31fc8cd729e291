"""Pseudo-labels from the ensemble of the other branches, and the loss on them."""

import math
from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from .soft_dice import soft_dice_from_probabilities
from .utils import autocast_disabled, check_logits_and_target

ENSEMBLES = ('max', 'mean')


@torch.no_grad()
def ensemble_pseudo_labels(logits: Sequence[Tensor], ensemble: str = 'max') -> list[Tensor]:
    """For each branch the classes that the *others* agree on together.

    ``'max'`` takes the element-wise maximum of the others' softmax maps (the released code), ``'mean'`` their average
    (soft voting). With two branches either is the other branch's own prediction: cross pseudo supervision
    (Chen et al., CVPR 2021).

    Source: Sime et al. 2022, Eq. 3.

    Args:
        logits: One tensor of shape (b, C, h, w) per branch, at least two.
        ensemble: ``'max'`` or ``'mean'``.

    Returns:
        One detached map per branch, shape (b, h, w), int64; the k-th comes from all branches but k.

    Raises:
        ValueError: With fewer than two branches, different shapes, or an unknown ensemble.

    Example:
        >>> import torch
        >>> logits = [torch.tensor([2., 0.]), torch.tensor([0., 1.]), torch.tensor([0., 3.])]
        >>> [int(label) for label in ensemble_pseudo_labels([x.view(1, 2, 1, 1) for x in logits])]
        [1, 1, 0]
    """
    if ensemble not in ENSEMBLES:
        raise ValueError(f'ensemble must be one of {ENSEMBLES}, got {ensemble!r}')
    shapes = [tuple(branch.shape) for branch in logits]
    if len(shapes) < 2 or len(set(shapes)) > 1 or len(shapes[0]) != 4:
        raise ValueError(f'pseudo-labels need two or more branches with logits of one shape (b, C, h, w), got {shapes}')
    with autocast_disabled(logits[0]):
        probabilities = [branch.float().softmax(dim=1) for branch in logits]
    return [_ensemble(_all_but(probabilities, k), ensemble).argmax(dim=1) for k in range(len(logits))]


def _all_but(items: Sequence[Tensor], k: int) -> list[Tensor]:
    return [item for index, item in enumerate(items) if index != k]


def _ensemble(probabilities: list[Tensor], ensemble: str) -> Tensor:
    combined = probabilities[0]
    for other in probabilities[1:]:
        combined = torch.maximum(combined, other) if ensemble == 'max' else combined + other
    return combined  # a mean and its sum have the same argmax


def ce_dice_loss(logits: Tensor, target: Tensor, ignore_index: int = 255) -> Tensor:
    """0.5 cross entropy + 0.5 soft Dice of logits (b, C, h, w) against labels (b, h, w): a float32 scalar.

    One softmax serves both terms. Without a pixel that counts the value is that of Dice alone.
    """
    check_logits_and_target(logits, target)
    with autocast_disabled(logits):
        log_probabilities = logits.float().log_softmax(dim=1)
        counted = (target != ignore_index).sum().clamp(min=1)
        cross_entropy = F.nll_loss(log_probabilities, target, ignore_index=ignore_index, reduction='sum') / counted
        return 0.5 * cross_entropy + 0.5 * soft_dice_from_probabilities(log_probabilities.exp(), target, ignore_index)


def cross_pseudo_loss(logits: Sequence[Tensor], pseudo_labels: Sequence[Tensor], ignore_index: int = 255) -> Tensor:
    """Sum over the branches of 0.5 cross entropy + 0.5 soft Dice against their pseudo-labels.

    Source: Sime et al. 2022, Eq. 4.

    Args:
        logits: One tensor of shape (b, C, h, w) per branch.
        pseudo_labels: One map of shape (b, h, w), int64, per branch; see :func:`ensemble_pseudo_labels`.
        ignore_index: The value that does not count, such as padding.

    Returns:
        Scalar float32.

    Raises:
        ValueError: If the lists or shapes do not fit.
    """
    if len(logits) != len(pseudo_labels):
        raise ValueError(
            f'expected one pseudo-label map per branch, got {len(pseudo_labels)} for {len(logits)} branches'
        )
    return torch.stack(
        [ce_dice_loss(branch, label, ignore_index) for branch, label in zip(logits, pseudo_labels)]
    ).sum()


def sigmoid_rampup(step: float, length: float) -> float:
    """exp(-5 (1 - min(step, length) / length)^2): from 0.0067 at step 0 to 1 at ``length`` and after.

    Source: Laine and Aila, ICLR 2017; Sime et al. 2022 multiply it by 0.1.

    Raises:
        ValueError: If ``step`` or ``length`` is negative.

    Example:
        >>> round(sigmoid_rampup(0, 200), 6), sigmoid_rampup(300, 200), sigmoid_rampup(0, 0)
        (0.006738, 1.0, 1.0)
    """
    if step < 0 or length < 0:
        raise ValueError(f'step and length must not be negative, got {step} and {length}')
    if length == 0:
        return 1.0
    missing = 1.0 - min(step, length) / length
    return math.exp(-5.0 * missing * missing)


@MODELS.register_module()
class CrossPseudoLoss(nn.Module):
    """:func:`cross_pseudo_loss` on :func:`ensemble_pseudo_labels`.

    Args:
        ensemble: How the other branches are combined: ``'max'`` (the released code) or ``'mean'``.
        loss_weight: The weight w(t) at the end of the ramp.
        ramp: Whether the weight grows with the ramp of ``SemiSupervisedHook``.

    Raises:
        ValueError: On an unknown ensemble.
    """

    def __init__(self, ensemble: str = 'max', loss_weight: float = 0.1, ramp: bool = True) -> None:
        super().__init__()
        if ensemble not in ENSEMBLES:
            raise ValueError(f'CrossPseudoLoss.ensemble must be one of {ENSEMBLES}, got {ensemble!r}')
        self.ensemble = ensemble
        self.loss_weight = loss_weight
        self.ramp = ramp

    def pseudo_labels(self, logits: Sequence[Tensor]) -> list[Tensor]:
        """One detached (b, h, w) int64 map per branch, from the other branches' logits (b, C, h, w)."""
        return ensemble_pseudo_labels(logits, self.ensemble)

    def forward(
        self, logits: Sequence[Tensor], pseudo_labels: Sequence[Tensor], ignore_index: int = 255
    ) -> list[Tensor]:
        """Weighted loss of each branch: K scalars whose sum is ``loss_weight * cross_pseudo_loss``."""
        return [
            self.loss_weight * ce_dice_loss(branch, label, ignore_index) for branch, label in zip(logits, pseudo_labels)
        ]
