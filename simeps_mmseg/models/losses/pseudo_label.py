"""Pseudo-labels: a class and a weight for each pixel, and the cross entropy that honours both."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .utils import autocast_disabled


@dataclass
class PseudoLabel:
    """What a network is to learn of images without labels. Detached.

    Attributes:
        labels: Classes, shape (b, h, w), int64; ``ignore_index`` where a pixel does not count.
        weight: Trust in each label, shape (b, h, w), float32, in [0, 1]. None: 1 everywhere.
        complete: Whether every pixel is known to hold a class, without a look at the labels.
    """

    labels: Tensor
    weight: Tensor | None = None
    complete: bool = False

    def maps(self) -> list[Tensor]:
        """What there is, in the order of the constructor: for what moves labels and weights alike."""
        return [self.labels] if self.weight is None else [self.labels, self.weight]

    def ignored(self, ignore_index: int) -> int | None:
        """The value that does not count among the labels; None where they are known to be without."""
        return None if self.complete else ignore_index

    def counted(self, ignore_index: int) -> Tensor:
        """The labels, ``ignore_index`` where their weight is 0."""
        return self.labels if self.weight is None else self.labels.masked_fill(self.weight == 0, ignore_index)


@torch.no_grad()
def confident_labels(logits: Tensor, threshold: float) -> PseudoLabel:
    """Class of the highest probability, with weight 1 where that is at least the threshold and 0 elsewhere.

    Source: Sohn et al., NeurIPS 2020 (FixMatch), the pseudo-label of Eq. 4.

    Args:
        logits: Shape (b, C, h, w).
        threshold: Smallest probability that counts, in [0, 1].

    Example:
        >>> import torch
        >>> label = confident_labels(torch.tensor([[0., 3.], [1., 0.]]).view(1, 2, 1, 2), threshold=0.9)
        >>> label.labels.tolist(), label.weight.tolist()
        ([[[1, 0]]], [[[0.0, 1.0]]])
    """
    with autocast_disabled(logits):
        confidence, labels = logits.float().softmax(dim=1).max(dim=1)
    return PseudoLabel(labels, (confidence >= threshold).float(), complete=True)


def pixel_cross_entropy(
    log_probabilities: Tensor, target: Tensor, ignore_index: int | None = 255, pixel_weight: Tensor | None = None
) -> Tensor:
    """Weighted cross entropy over the *number* of pixels that count, whatever their weights.

    So a batch with few trusted pixels has a small loss, as in FixMatch. Zero if no pixel counts.

    Args:
        log_probabilities: Shape (b, C, h, w).
        target: Shape (b, h, w), int64; ``ignore_index`` where a pixel does not count.
        ignore_index: The value that does not count. None: every pixel counts, which saves looking.
        pixel_weight: Shape (b, h, w). None: 1 everywhere.

    Returns:
        Scalar of the dtype of the log-probabilities.
    """
    if ignore_index is None:
        counted: Tensor | int = max(target.numel(), 1)
        ignore_index = -100  # PyTorch's own: no class
    else:
        counted = (target != ignore_index).sum().clamp(min=1)
    if pixel_weight is None:
        return F.nll_loss(log_probabilities, target, ignore_index=ignore_index, reduction='sum') / counted
    values = F.nll_loss(log_probabilities, target, ignore_index=ignore_index, reduction='none')
    return (values * pixel_weight).sum() / counted
