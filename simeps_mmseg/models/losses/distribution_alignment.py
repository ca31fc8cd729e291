"""Keeps rare classes alive in pseudo-labels."""

from collections.abc import Sequence

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

    Each is the plain mean of what came until there is enough of it for the running average, so that no class is favoured or
    put back by where the averages start.

    Args:
        num_classes: C.
        strength: Exponent of the factor.
        momentum: Share of the old average that a batch leaves, in the long run.
    """

    def __init__(self, num_classes: int, strength: float = 1.0, momentum: float = 0.99) -> None:
        super().__init__()
        self.strength = strength
        self.momentum = momentum
        for name in ('wanted', 'seen'):
            self.register_buffer(name, torch.full((num_classes,), 1 / num_classes))
            self.register_buffer(f'{name}_count', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def observe(self, labels: Tensor, ignore_index: int) -> None:
        """Add labelled images, (b, 1, h, w), to what is wanted."""
        counts = one_hot(labels.squeeze(1), len(self.wanted), ignore_index).sum(dim=(0, 2, 3))
        if counts.sum():
            self._move('wanted', counts / counts.sum())

    @torch.no_grad()
    def forward(self, probabilities: Sequence[Tensor]) -> list[Tensor]:
        """Aligned probabilities, each (b, C, h, w), once labels were observed; the mean of those given counts as seen."""
        shares = [given.mean(dim=(0, 2, 3)) for given in probabilities]
        self._move('seen', sum(shares) / len(shares))
        wanted = torch.where(self.wanted_count > 0, self.wanted, self.seen)
        return [align(given, wanted, self.seen, self.strength) for given in probabilities]

    def _move(self, name: str, value: Tensor) -> None:
        average, count = getattr(self, name), getattr(self, f'{name}_count')
        count += 1
        average.lerp_(value.to(average), (1 / count.float()).clamp(min=1 - self.momentum))
