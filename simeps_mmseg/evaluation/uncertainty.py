"""Uncertainty of an ensemble about an image, from the disagreement of its networks."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..utils.class_maps import likeliest_class


class ImageUncertainty(NamedTuple):
    """Uncertainty of an ensemble about one image.

    Attributes:
        score: Mutual information averaged with the foreground probability as weight, in nats.
        mutual_information: The plain mean over the pixels, in nats.
        disagreement: Share of the pixels where the networks do not all predict the same class.
        foreground: Mean foreground probability of the ensemble.
        likeliest: The foreground class with the largest mean probability in the ensemble.
    """

    score: float
    mutual_information: float
    disagreement: float
    foreground: float
    likeliest: int


def mutual_information(probabilities: Tensor) -> Tensor:
    """Information that the label of a pixel would give about which network is right.

    The entropy of the mean less the mean of the entropies: zero where the networks say the same, whether they are sure or
    not; ln 2 where two are sure of different classes.

    Source: Houlsby et al., 2011 (BALD); for segmentation with networks in place of samples.

    Args:
        probabilities: Of K networks, shape (K, C, ...), C of each pixel summing to 1.

    Returns:
        Shape (...), float32, in nats, not negative.

    Raises:
        ValueError: If there are fewer than two networks or classes.

    Example:
        >>> sure = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> unsure = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
        >>> [round(float(mutual_information(p[..., None])), 4) for p in (sure, unsure)]
        [0.6931, 0.0]
    """
    if probabilities.ndim < 2 or min(probabilities.shape[:2]) < 2:
        raise ValueError(
            'mutual information needs probabilities of two networks and two classes or more, (K, C, ...), got shape '
            f'{tuple(probabilities.shape)}'
        )
    probabilities = probabilities.float()
    total = _entropy(probabilities.mean(dim=0), dim=0)
    own = _entropy(probabilities, dim=1).mean(dim=0)
    return (total - own).clamp_min(0)


def _entropy(probabilities: Tensor, dim: int) -> Tensor:
    return torch.special.entr(probabilities).sum(dim=dim)


def shared_classes(probabilities: Tensor) -> Tensor:
    """Where all networks predict the same class: bool, shape (...), from probabilities (K, C, ...)."""
    classes = likeliest_class(probabilities, dim=1)
    return (classes == classes[:1]).all(dim=0)


def image_uncertainty(probabilities: Tensor) -> ImageUncertainty:
    """The disagreement of networks about one image, where a defect may be.

    Most pixels of a defect image are background that no network doubts; a plain mean would rank images by how little of
    that they have. So pixels count by the ensemble's probability of any foreground class.

    Args:
        probabilities: Of K networks, shape (K, C, h, w); class 0 is background.
    """
    information = mutual_information(probabilities)
    ensemble = probabilities.float().mean(dim=0)
    foreground = 1 - ensemble[0]
    weight = foreground.sum()
    score = (information * foreground).sum() / weight if weight > 0 else weight
    return ImageUncertainty(
        score=float(score),
        mutual_information=float(information.mean()),
        disagreement=float((~shared_classes(probabilities)).float().mean()),
        foreground=float(foreground.mean()),
        likeliest=1 + int(ensemble[1:].mean(dim=(1, 2)).argmax()),
    )
