"""The loss of single networks that learn from their own confident predictions."""

import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError
from .cross_pseudo import ce_dice_loss
from .pseudo_label import PseudoLabel, confident_labels


@MODELS.register_module()
class ConfidentPseudoLoss(nn.Module):
    """Cross entropy against pseudo-labels whose probability reaches a threshold, over the number of all pixels.

    Source: Sohn et al., NeurIPS 2020 (FixMatch), Eq. 4, applied to each pixel.

    Args:
        threshold: Smallest probability that counts, in [0, 1].
        loss_weight: Factor on the value.
        dice_share: Share of soft Dice in the loss; 0 in FixMatch and UniMatch.
        ramp: Whether the weight grows with the ramp of ``SemiSupervisedHook``; not so in FixMatch and UniMatch.

    Raises:
        ValueError: If the threshold is outside [0, 1].
    """

    def __init__(
        self, threshold: float = 0.95, loss_weight: float = 1.0, dice_share: float = 0.0, ramp: bool = False
    ) -> None:
        super().__init__()
        if not 0 <= threshold <= 1:
            raise UserError(f'ConfidentPseudoLoss.threshold is a probability, in [0, 1], got {threshold}')
        self.threshold = threshold
        self.loss_weight = loss_weight
        self.dice_share = dice_share
        self.ramp = ramp

    def pseudo_label(self, logits: Tensor) -> PseudoLabel:
        """(b, h, w) labels and weights of logits (b, C, h, w)."""
        return confident_labels(logits, self.threshold)

    def forward(self, logits: Tensor, target: PseudoLabel, ignore_index: int = 255) -> Tensor:
        """Weighted loss of logits (b, C, h, w): a scalar."""
        ignored = target.ignored(ignore_index)
        return self.loss_weight * ce_dice_loss(logits, target.labels, ignored, target.weight, self.dice_share)
