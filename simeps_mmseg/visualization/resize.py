"""Images and label maps in another size."""

import cv2
import numpy as np


def display_size(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Height and width with the proportions of ``shape`` and the area of a square of ``side``.

    Example:
        >>> display_size((50, 200), side=100)
        (50, 200)
    """
    height, width = shape[:2]
    factor = side / (height * width) ** 0.5
    return max(1, round(height * factor)), max(1, round(width * factor))


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (h, w) or (h, w, 3), uint8, at ``size`` (height, width): averaged when reduced, in blocks when enlarged."""
    shrinks = image.shape[0] > size[0] or image.shape[1] > size[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)


def resize_labels(labels: np.ndarray, size: tuple[int, int], background: int = 0) -> np.ndarray:
    """Resize a label map so that thin defects are still seen.

    Enlarged it is made of blocks. Reduced, a pixel is background only if all that falls into it is; otherwise it takes the
    class with the greatest part of it, so that a scratch of one pixel is still there, at most a pixel too wide.

    Args:
        labels: Indices from 0 to 255, shape (h, w).
        size: Height and width wanted.
        background: The value that gives way.

    Returns:
        Shape ``size``, uint8.
    """
    labels = labels.astype(np.uint8)
    if labels.shape[0] <= size[0] and labels.shape[1] <= size[1]:
        return cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    result = np.full(size, background, np.uint8)
    largest = np.zeros(size, np.float32)
    for value in np.unique(labels):
        if value == background:
            continue
        part = cv2.resize((labels == value).astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        more = part > largest
        result[more], largest[more] = value, part[more]
    return result
