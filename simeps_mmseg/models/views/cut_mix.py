"""CutMix: a rectangle of each image comes from another image of the batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError


@dataclass
class Mix:
    """Where the pixels of a mixed batch come from.

    Attributes:
        partner: Index of the image that fills the box, shape (b,), int64.
        inside: The boxes, shape (b, h, w), bool.
    """

    partner: Tensor
    inside: Tensor

    def __call__(self, maps: Tensor) -> Tensor:
        """Mix images (b, c, h, w), or label maps or weights (b, h, w), all in the same way."""
        inside = self.inside if maps.ndim == 3 else self.inside.unsqueeze(1)
        return torch.where(inside, maps[self.partner], maps)


def random_box(height: int, width: int, area: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of a random rectangle inside the image, drawn from torch's global generator.

    Args:
        height: Of the image, in pixels.
        width: Likewise.
        area: Smallest and largest share of the image.
        ratio: Smallest and largest height over width.
    """
    size = _uniform(*area) * height * width
    shape = _uniform(*ratio)
    box_height = min(height, max(1, round(math.sqrt(size * shape))))
    box_width = min(width, max(1, round(math.sqrt(size / shape))))
    top = int(torch.randint(height - box_height + 1, ()))
    left = int(torch.randint(width - box_width + 1, ()))
    return top, left, top + box_height, left + box_width


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


@MODELS.register_module()
class CutMix(nn.Module):
    """Draws a :class:`Mix` for a batch.

    Source: Yun et al., ICCV 2019; the ranges are those that UniMatch (Yang et al., CVPR 2023) uses for segmentation.

    Args:
        prob: Probability that an image gets a box.
        area: Smallest and largest share of the image inside the box.
        ratio: Smallest and largest height over width of the box.

    Raises:
        ValueError: On a probability outside [0, 1] or a range that is none.
    """

    def __init__(
        self, prob: float = 0.5, area: Sequence[float] = (0.02, 0.4), ratio: Sequence[float] = (0.3, 1 / 0.3)
    ) -> None:
        super().__init__()
        if not 0 <= prob <= 1:
            raise UserError(f'CutMix.prob must be in [0, 1], got {prob}')
        if not 0 < area[0] <= area[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise UserError(f'CutMix: area must be a range in (0, 1] and ratio one above 0, got {area} and {ratio}')
        self.prob = prob
        self.area = tuple(area)
        self.ratio = tuple(ratio)

    def forward(self, inputs: Tensor) -> Mix:
        """A mix for images (b, c, h, w). Partners are the images shifted by one random step, so nobody is its own."""
        count, _, height, width = inputs.shape
        # Made where the images are: to copy them there would have the host wait for the device.
        inside = torch.zeros(count, height, width, dtype=torch.bool, device=inputs.device)
        step = int(torch.randint(1, max(count, 2), ()))
        for image in inside:
            if float(torch.rand(())) < self.prob:
                top, left, bottom, right = random_box(height, width, self.area, self.ratio)
                image[top:bottom, left:right].fill_(True)
        partner = torch.arange(count, device=inputs.device).roll(step)
        return Mix(partner, inside)
