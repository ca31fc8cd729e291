"""Keeps rare classes alive in pseudo-labels."""

import torch
import torch.nn as nn
from torch import Tensor

from .utils import one_hot


def align(probabilities: Tensor, wanted: Tensor, seen: Tensor, strength: float = 1.0) -> Tensor:
    """Multiply each class by (wanted share / seen share)^strength and make each pixel sum to 1 again.

    Source: Berthelot et al., ICLR 2020 (ReMixMatch), section 3.1, there with strength 1.

    Args:
        probabilities: Shape (b, C, h, w).
        wanted: Shape (C,), shares of the classes in the labels.
        seen: Shape (C,), shares of the classes in the predictions.
        strength: 0 changes nothing.

    Example:
        >>> import torch
        >>> even = torch.tensor([0.5, 0.5]).view(1, 2, 1, 1)
        >>> align(even, wanted=torch.tensor([0.8, 0.2]), seen=torch.tensor([0.8, 0.2])).flatten().tolist()
        [0.5, 0.5]
        >>> [round(p, 3) for p in align(even, torch.tensor([0.75, 0.25]), torch.tensor([0.5, 0.5])).flatten().tolist()]
        [0.75, 0.25]
    """
    factor = ((wanted + 1e-6) / (seen + 1e-6)) ** strength
    aligned = probabilities * factor.view(1, -1, 1, 1)
    return aligned / aligned.sum(dim=1, keepdim=True)


class DistributionAlignment(nn.Module):
    """:func:`align` with running averages of both shares, which are part of the checkpoint.

    Args:
        num_classes: C.
        strength: Exponent of the factor.
        momentum: Share of the old average that a batch leaves.
    """

    def __init__(self, num_classes: int, strength: float = 1.0, momentum: float = 0.99) -> None:
        super().__init__()
        self.strength = strength
        self.momentum = momentum
        even = torch.full((num_classes,), 1 / num_classes)
        self.register_buffer('wanted', even.clone())
        self.register_buffer('seen', even.clone())

    @torch.no_grad()
    def observe(self, labels: Tensor, ignore_index: int) -> None:
        """Add labelled images, (b, 1, h, w), to what is wanted."""
        counts = one_hot(labels.squeeze(1), len(self.wanted), ignore_index).sum(dim=(0, 2, 3))
        self._move(self.wanted, counts / counts.sum().clamp(min=1))

    @torch.no_grad()
    def forward(self, probabilities: Tensor) -> Tensor:
        """Aligned probabilities (b, C, h, w); those given are added to what was seen."""
        self._move(self.seen, probabilities.mean(dim=(0, 2, 3)))
        return align(probabilities, self.wanted, self.seen, self.strength)

    def _move(self, average: Tensor, value: Tensor) -> None:
        average.lerp_(value.to(average), 1 - self.momentum)
