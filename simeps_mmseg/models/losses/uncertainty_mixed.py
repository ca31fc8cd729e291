"""UAPS: pseudo-labels mixed with random weights, learnt from as far as the branches agree."""

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from ...utils.class_maps import likeliest_class
from .cross_pseudo import all_probabilities, ce_dice_loss, ensemble_of
from .pseudo_label import PseudoLabel
from .utils import autocast_disabled


@torch.no_grad()
def mixed_pseudo_labels(logits: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Classes of the weighted mean of the branches' softmax maps, the same for every branch.

    Source: Sime et al., Computers in Industry 2023 (UAPS), dynamically mixed pseudo-labels.

    Args:
        logits: One tensor of shape (b, C, h, w) per branch.
        weights: One for each branch, not negative.

    Returns:
        Detached classes, shape (b, h, w), int64.
    """
    weighted = [weight * probability for weight, probability in zip(weights, all_probabilities(logits))]
    return likeliest_class(torch.stack(weighted).sum(dim=0), dim=1)


def kl_divergence(reference: Tensor, log_probabilities: Tensor) -> Tensor:
    """KL(reference || branch) of each pixel, shape (b, h, w), from (b, C, h, w) probabilities and log-probabilities.

    A probability that underflows to 0 is taken for 1e-12: the gradient of 0 log 0 would be infinite.
    """
    return F.kl_div(log_probabilities, reference.clamp(min=1e-12), reduction='none').sum(dim=1)


def uncertainty(logits: Sequence[Tensor]) -> list[Tensor]:
    """KL divergence of each branch to the mean of all, KL(mean || branch), per pixel, with gradient.

    Source: Sime et al. 2023, the uncertainty map; like the released code, no side is detached.

    Args:
        logits: One tensor of shape (b, C, h, w) per branch.

    Returns:
        One map of shape (b, h, w), float32, per branch.
    """
    mean = ensemble_of(all_probabilities(logits), 'mean')
    with autocast_disabled(mean):
        return [kl_divergence(mean, branch.float().log_softmax(dim=1)) for branch in logits]


@MODELS.register_module()
class UncertaintyMixedLoss(nn.Module):
    """The loss of UAPS on pseudo-labels, in place of ``CrossPseudoLoss``.

    For each branch: 0.5 cross entropy + 0.5 Dice against :func:`mixed_pseudo_labels`, each pixel weighted by
    exp(-:func:`uncertainty`), plus the mean uncertainty. The weights of the mixture are drawn anew each time, uniformly
    over all that sum to 1 (Dirichlet).

    Args:
        loss_weight: Weight at the end of the ramp, 0.1 in the released code.
        uncertainty_weight: Factor on the mean uncertainty, relative to ``loss_weight``.
        ramp: Whether the weight grows with the ramp of ``SemiSupervisedHook``.
        pixelwise: Whether each pixel has its own weight, as the paper's idea has it. False: the mean loss is multiplied by
            the mean weight, as in the released code.
    """

    def __init__(
        self,
        loss_weight: float = 0.1,
        uncertainty_weight: float = 1.0,
        ramp: bool = True,
        pixelwise: bool = True,
    ) -> None:
        super().__init__()
        self.pixelwise = pixelwise
        self.loss_weight = loss_weight
        self.uncertainty_weight = uncertainty_weight
        self.ramp = ramp

    def pseudo_labels(self, logits: Sequence[Tensor]) -> list[PseudoLabel]:
        """The same (b, h, w) labels for every branch, from logits (b, C, h, w)."""
        weights = torch.distributions.Dirichlet(torch.ones(len(logits))).sample()
        labels = mixed_pseudo_labels(logits, weights.tolist())  # numbers: a tensor would be copied to the device
        return [PseudoLabel(labels) for _ in logits]

    def forward(
        self, logits: Sequence[Tensor], pseudo_labels: Sequence[PseudoLabel], ignore_index: int = 255
    ) -> list[Tensor]:
        """Weighted loss of each branch, K scalars."""
        losses = []
        for branch, target, divergence in zip(logits, pseudo_labels, uncertainty(logits)):
            weight = torch.exp(-divergence)
            counted = target.labels != ignore_index
            number = counted.sum().clamp(min=1)
            mean = (divergence * counted).sum() / number
            ignored = target.ignored(ignore_index)
            if self.pixelwise:
                rectified = ce_dice_loss(branch, target.labels, ignored, weight)
            else:
                rectified = ce_dice_loss(branch, target.labels, ignored) * (weight * counted).sum() / number
            losses.append(self.loss_weight * (rectified + self.uncertainty_weight * mean))
        return losses
