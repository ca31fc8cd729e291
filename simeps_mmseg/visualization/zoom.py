"""Boxes around the thinnest defects of an image, to be enlarged."""

from typing import NamedTuple

import cv2
import numpy as np


class Box(NamedTuple):
    """Part of an image: rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the last ones not included."""

    top: int
    left: int
    bottom: int
    right: int

    def crop(self, array: np.ndarray) -> np.ndarray:
        """The part of an array of shape (h, w, ...)."""
        return array[self.top : self.bottom, self.left : self.right]


def zoom_boxes(defects: np.ndarray, count: int, factor: float = 4.0) -> list[Box]:
    """Boxes around the thinnest defects: those that the whole image shows worst.

    Connected regions are taken by their thickness (the largest distance of a pixel of theirs to what is outside), thinnest
    first, in reading order among equals. A box is centred on the thickest place of its region, of several on that nearest
    to its centre of gravity, as far as the image allows.
    A region whose centre lies in a box that is already there gets none.

    Args:
        defects: Shape (h, w), bool.
        count: At most so many boxes.
        factor: Image size over box size, 1 or more.

    Returns:
        Boxes with the proportions of the image, all of one size; none where there are no defects.
    """
    height, width = defects.shape
    size = max(1, round(height / factor)), max(1, round(width / factor))
    _, regions = cv2.connectedComponents(defects.astype(np.uint8), connectivity=8)
    # A frame of background: a region at the border is as thick as what is seen of it.
    framed = np.pad(defects.astype(np.uint8), 1)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    centers = _thickest_places(regions, np.round(distance, 1))
    boxes: list[Box] = []
    for row, column in centers:
        if len(boxes) == count:
            break
        if not any(box.top <= row < box.bottom and box.left <= column < box.right for box in boxes):
            top = min(max(0, row - size[0] // 2), height - size[0])
            left = min(max(0, column - size[1] // 2), width - size[1])
            boxes.append(Box(top, left, top + size[0], left + size[1]))
    return boxes


def _thickest_places(regions: np.ndarray, distance: np.ndarray) -> list[tuple[int, int]]:
    """For each region but 0 row and column of its thickest place, that nearest to its centre of gravity among equals.

    Thinnest region first, in reading order among equals.
    """
    inside = np.flatnonzero(regions)
    region, thickness = regions.flat[inside], distance.flat[inside]
    rows, columns = np.unravel_index(inside, regions.shape)
    pixels = np.maximum(np.bincount(region), 1)
    centers = [np.bincount(region, weights=values) / pixels for values in (rows, columns)]
    off_center = (rows - centers[0][region]) ** 2 + (columns - centers[1][region]) ** 2
    order = np.lexsort((inside, off_center.round(3), -thickness, region))
    best = order[np.unique(region[order], return_index=True)[1]]
    best = best[np.lexsort((inside[best], thickness[best]))]
    return [(int(rows[place]), int(columns[place])) for place in best]
