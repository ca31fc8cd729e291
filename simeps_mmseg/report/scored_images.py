"""Images of a validation or test set, compared with their ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..evaluation import PartErrors, trade_off


@dataclass(frozen=True)
class ScoredImage:
    """One image of the validation or test set.

    Attributes:
        index: Its place in the set.
        matrices: Confusion of the prediction, then of each branch, shape (1 + K, C, C), int64.
        miou: Per-image mIoU of the prediction in per cent; NaN where no defect is to be seen.
        largest: Pixels of the largest region of the prediction, then of each branch, shape (1 + K,), int64.
    """

    index: int
    matrices: np.ndarray
    miou: float
    largest: np.ndarray

    @property
    def has_defect(self) -> bool:
        """Whether the ground truth shows one."""
        return not np.isnan(self.miou)


def by_quality(scored: Sequence[ScoredImage], most: int) -> dict[str, list[ScoredImage]]:
    """The best, the median and the worst images by mIoU, ``most`` of each kind and none twice."""
    order = sorted(scored, key=lambda one: -one.miou)
    count = min(most, -(-len(order) // 3))
    worst = order[max(len(order) - count, 0) :][::-1]
    best = order[: min(count, len(order) - len(worst))]
    between = order[len(best) : len(order) - len(worst)]
    start = max((len(between) - count) // 2, 0)
    return dict(best=best, median=between[start : start + count], worst=worst)


def part_errors_of(scored: Sequence[ScoredImage], place: int, min_areas: Sequence[int]) -> list[PartErrors]:
    """The errors about whole parts, for several smallest regions.

    Args:
        scored: At least one image.
        place: 0 for the prediction, k + 1 for branch k.
        min_areas: In pixels.
    """
    largest = torch.from_numpy(np.stack([one.largest[place] for one in scored]))
    actual = torch.from_numpy(np.stack([one.matrices[0].sum(axis=1) for one in scored]))
    return trade_off(largest, actual, min_areas)
