"""Areas of the classes in a label map, and its connected defects with their boxes."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np


class Defect(NamedTuple):
    """Connected pixels of one foreground class.

    Attributes:
        class_index: The class.
        area: In pixels.
        box: x and y of the upper left pixel, width and height.
    """

    class_index: int
    area: int
    box: tuple[int, int, int, int]


def connected_defects(labels: np.ndarray, num_classes: int, min_area: int = 1) -> list[Defect]:
    """The connected regions of each foreground class, pixels that touch at a corner included.

    Args:
        labels: Class indices, shape (h, w); 0 is background, what is no class does not count.
        num_classes: With background.
        min_area: Smaller regions are left out.

    Returns:
        By class, then from the largest to the smallest.

    Raises:
        ValueError: If the labels are no (h, w) map.

    Example:
        >>> connected_defects(np.array([[1, 0, 2], [0, 1, 2], [0, 0, 0], [2, 0, 0]]), num_classes=3)
        [Defect(class_index=1, area=2, box=(0, 0, 2, 2)), Defect(class_index=2, area=2, box=(2, 0, 1, 2)), \
Defect(class_index=2, area=1, box=(0, 3, 1, 1))]
    """
    if labels.ndim != 2:
        raise ValueError(f'labels must have shape (h, w), got {labels.shape}')
    found = []
    for index in range(1, num_classes):
        mask = (labels == index).astype(np.uint8)
        if not mask.any():
            continue
        _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        regions = [
            Defect(index, area, (x, y, w, h)) for x, y, w, h, area in statistics[1:].tolist() if area >= min_area
        ]
        found.extend(sorted(regions, key=lambda defect: (-defect.area, defect.box[1], defect.box[0])))
    return found


def largest_region(labels: np.ndarray, num_classes: int) -> int:
    """Pixels of the largest of :func:`connected_defects`; 0 where there are none.

    Args:
        labels: Class indices, shape (h, w); 0 is background, what is no class does not count.
        num_classes: With background.

    Example:
        >>> largest_region(np.array([[1, 0, 2], [0, 1, 2], [0, 0, 2], [2, 0, 0]]), num_classes=3)
        3
    """
    return max((defect.area for defect in connected_defects(labels, num_classes)), default=0)


def area_record(labels: np.ndarray, classes: Sequence[str], min_area: int = 1) -> dict:
    """Areas and connected defects of one image, ready for JSON.

    Args:
        labels: Class indices, shape (h, w); 0 is background.
        classes: Names, background first.
        min_area: Regions smaller than this are no defects; their pixels count all the same.

    Returns:
        ``height``, ``width``, ``area_pixels`` and ``area_percent`` by class, ``defects`` (class, area, box) and
        ``defect_count`` by foreground class.
    """
    height, width = labels.shape
    areas = np.bincount(labels.ravel(), minlength=len(classes))
    defects = connected_defects(labels, len(classes), min_area)
    return dict(
        height=height,
        width=width,
        area_pixels={name: int(areas[index]) for index, name in enumerate(classes)},
        area_percent={name: round(100 * int(areas[index]) / labels.size, 4) for index, name in enumerate(classes)},
        defects=[{'class': classes[d.class_index], 'area': d.area, 'box': list(d.box)} for d in defects],
        defect_count={
            name: sum(defect.class_index == index for defect in defects) for index, name in enumerate(classes) if index
        },
    )
