"""Decisions about whole parts: which defective ones are missed, and which good ones are rejected.

Each image is a part. It is *rejected* where the prediction has a connected region of at least ``min_area`` pixels of any
defect class, else it *passes*. The same rule as that of ``predict``: see
:func:`simeps_mmseg.evaluation.connected_defects`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from torch import Tensor

from .defects import largest_region


class PartErrors(NamedTuple):
    """Parts that were decided wrongly, as counts.

    Attributes:
        min_area: Pixels of the smallest region that rejects a part.
        defective: Parts whose ground truth shows a defect.
        missed: Those of them that pass.
        good: Parts whose ground truth shows background alone.
        rejected: Those of them that are rejected.
        showing: For each foreground class the parts that show it.
        missed_showing: Those of them that pass. A part that is rejected for a defect of another class is not missed.
    """

    min_area: int
    defective: int
    missed: int
    good: int
    rejected: int
    showing: tuple[int, ...]
    missed_showing: tuple[int, ...]

    @property
    def missed_percent(self) -> float:
        """Share of the defective parts that are missed, in per cent; NaN without defective parts."""
        return percent_of(self.missed, self.defective)

    @property
    def rejected_percent(self) -> float:
        """Share of the good parts that are rejected, in per cent; NaN without good parts."""
        return percent_of(self.rejected, self.good)

    @property
    def missed_percent_by_class(self) -> list[float]:
        """Share of the parts showing each foreground class that are missed, in per cent; NaN where none shows it."""
        return [percent_of(*pair) for pair in zip(self.missed_showing, self.showing)]


def part_errors(largest: Tensor, actual: Tensor, min_area: int = 1) -> PartErrors:
    """Count the parts that are missed or wrongly rejected.

    Args:
        largest: Pixels of the largest predicted region of each part (:func:`counted_region`), shape (n,), int64.
        actual: Pixels of each class in the ground truth, background first, shape (n, C), int64. A part without any (all of
            it is ``ignore_index``) is neither defective nor good.
        min_area: Pixels of the smallest region that rejects a part.

    Raises:
        ValueError: If ``min_area`` is below 1.

    Example:
        >>> import torch
        >>> largest = torch.tensor([0, 30, 0, 4])
        >>> actual = torch.tensor([[90, 10], [60, 40], [100, 0], [100, 0]])  # two defective parts, two good ones
        >>> part_errors(largest, actual)
        PartErrors(min_area=1, defective=2, missed=1, good=2, rejected=1, showing=(2,), missed_showing=(1,))
        >>> part_errors(largest, actual, min_area=5).rejected
        0
    """
    if min_area < 1:
        raise ValueError(f'min_area is 1 or more, got {min_area}: a part without any region is not rejected')
    passes = largest < min_area
    shows = actual[:, 1:] > 0
    defective = shows.any(dim=1)
    good = (actual[:, 0] > 0) & ~defective
    return PartErrors(
        min_area=min_area,
        defective=int(defective.sum()),
        missed=int((defective & passes).sum()),
        good=int(good.sum()),
        rejected=int((good & ~passes).sum()),
        showing=tuple(shows.sum(dim=0).tolist()),
        missed_showing=tuple((shows & passes[:, None]).sum(dim=0).tolist()),
    )


def counted_region(prediction: np.ndarray, target: np.ndarray, num_classes: int, ignore_index: int = 255) -> int:
    """Pixels of the largest predicted region, where the ground truth counts.

    Args:
        prediction: Class indices, shape (h, w); 0 is background.
        target: Class indices, shape (h, w); what is predicted where it is ``ignore_index`` is in no region.
        num_classes: With background.
        ignore_index: See ``target``.
    """
    return largest_region(np.where(target == ignore_index, 0, prediction), num_classes)


def percent_of(part: int, whole: int) -> float:
    """``part`` in per cent of ``whole``; NaN of nothing."""
    return 100 * part / whole if whole else float('nan')


def in_words(errors: PartErrors) -> str:
    """The two errors as a sentence.

    Example:
        >>> in_words(PartErrors(20, 47, 3, 116, 5, (47,), (3,)))
        '3 of 47 defective parts missed, 5 of 116 good parts rejected (regions of at least 20 pixels count)'
        >>> in_words(PartErrors(1, 47, 3, 0, 0, (47,), (3,)))
        '3 of 47 defective parts missed, no good parts to reject (regions of at least 1 pixel count)'
    """
    missed = (
        f'{errors.missed} of {errors.defective} defective parts missed' if errors.defective else 'no defective parts'
    )
    rejected = f'{errors.rejected} of {errors.good} good parts rejected' if errors.good else 'no good parts to reject'
    unit = 'pixel' if errors.min_area == 1 else 'pixels'
    return f'{missed}, {rejected} (regions of at least {errors.min_area:,} {unit} count)'


def trade_off(largest: Tensor, actual: Tensor, min_areas: Iterable[int]) -> list[PartErrors]:
    """The errors for several smallest regions: the larger it is, the more is missed and the less is rejected.

    Args:
        largest: See :func:`part_errors`.
        actual: See :func:`part_errors`.
        min_areas: In pixels.

    Returns:
        From the smallest area to the largest, each once.
    """
    return [part_errors(largest, actual, area) for area in sorted(set(min_areas))]
