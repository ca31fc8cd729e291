"""Pseudo-labels from the ensemble of the other branches, and the loss on them."""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError
from ...utils.class_maps import likeliest_class
from .pseudo_label import PseudoLabel, pixel_cross_entropy
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
    probabilities = all_probabilities(logits)
    others = [[item for index, item in enumerate(probabilities) if index != k] for k in range(len(logits))]
    return [likeliest_class(ensemble_of(items, ensemble), dim=1) for items in others]


def all_probabilities(logits: Sequence[Tensor]) -> list[Tensor]:
    """Softmax of each branch's logits (b, C, h, w), float32.

    Raises:
        ValueError: With fewer than two branches, or different shapes.
    """
    shapes = [tuple(branch.shape) for branch in logits]
    if len(shapes) < 2 or len(set(shapes)) > 1 or len(shapes[0]) != 4:
        raise ValueError(f'pseudo-labels need two or more branches with logits of one shape (b, C, h, w), got {shapes}')
    with autocast_disabled(logits[0]):
        return [branch.float().softmax(dim=1) for branch in logits]


def ensemble_of(probabilities: Sequence[Tensor], ensemble: str) -> Tensor:
    """Element-wise maximum or mean of tensors of one shape."""
    if ensemble == 'max':
        return reduce(torch.maximum, probabilities)
    return reduce(torch.add, probabilities) / len(probabilities)


def ce_dice_loss(
    logits: Tensor,
    target: Tensor,
    ignore_index: int | None = 255,
    pixel_weight: Tensor | None = None,
    dice_share: float = 0.5,
) -> Tensor:
    """(1 - dice_share) cross entropy + dice_share soft Dice: a float32 scalar.

    One softmax serves both terms. Without a pixel that counts the value is that of Dice alone.

    Args:
        logits: Shape (b, C, h, w).
        target: Shape (b, h, w), int64.
        ignore_index: The value that does not count. None: every pixel counts.
        pixel_weight: Shape (b, h, w). None: 1 everywhere.
        dice_share: Between 0 (cross entropy alone) and 1 (Dice alone).
    """
    check_logits_and_target(logits, target)
    with autocast_disabled(logits):
        log_probabilities = logits.float().log_softmax(dim=1)
        loss = (1 - dice_share) * pixel_cross_entropy(log_probabilities, target, ignore_index, pixel_weight)
        if dice_share:
            probabilities = log_probabilities.exp()
            dice = soft_dice_from_probabilities(probabilities, target, ignore_index, pixel_weight=pixel_weight)
            loss = loss + dice_share * dice
        return loss


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


@MODELS.register_module()
class CrossPseudoLoss(nn.Module):
    """:func:`cross_pseudo_loss` on :func:`ensemble_pseudo_labels`, with options.

    Args:
        ensemble: How the other branches are combined: ``'max'`` (the released code) or ``'mean'``.
        loss_weight: The weight w(t) at the end of the ramp.
        ramp: Whether the weight grows with the ramp of ``SemiSupervisedHook``.
        dice_share: Share of soft Dice in the loss, the rest is cross entropy: 0.5 in simEps, 0 in CPS.

    Raises:
        ValueError: On an unknown ensemble.
    """

    def __init__(
        self, ensemble: str = 'max', loss_weight: float = 0.1, ramp: bool = True, dice_share: float = 0.5
    ) -> None:
        super().__init__()
        if ensemble not in ENSEMBLES:
            raise UserError(f'CrossPseudoLoss.ensemble must be one of {ENSEMBLES}, got {ensemble!r}')
        self.ensemble = ensemble
        self.loss_weight = loss_weight
        self.ramp = ramp
        self.dice_share = dice_share

    def pseudo_labels(self, logits: Sequence[Tensor]) -> list[PseudoLabel]:
        """One per branch, (b, h, w), from the other branches' logits (b, C, h, w)."""
        return [PseudoLabel(labels, complete=True) for labels in ensemble_pseudo_labels(logits, self.ensemble)]

    def forward(
        self, logits: Sequence[Tensor], pseudo_labels: Sequence[PseudoLabel | Tensor], ignore_index: int = 255
    ) -> list[Tensor]:
        """Weighted loss of each branch: K scalars whose sum is, without options, ``loss_weight * cross_pseudo_loss``.

        Args:
            logits: One tensor of shape (b, C, h, w) per branch.
            pseudo_labels: One per branch; bare label maps (b, h, w) have weight 1.
            ignore_index: The value that does not count.
        """
        targets = [target if isinstance(target, PseudoLabel) else PseudoLabel(target) for target in pseudo_labels]
        return [
            self.loss_weight
            * ce_dice_loss(branch, target.labels, target.ignored(ignore_index), target.weight, self.dice_share)
            for branch, target in zip(logits, targets)
        ]
