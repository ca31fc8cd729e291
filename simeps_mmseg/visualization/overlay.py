"""Label maps laid over images."""

from collections.abc import Sequence

import cv2
import numpy as np

NEIGHBOURS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))  # above, below, left, right


def paint(image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]], opacity: float = 0.75) -> np.ndarray:
    """Lay the colours of the foreground classes over a dimmed image.

    Args:
        image: Shape (h, w) or (h, w, 3), uint8.
        labels: Class indices, shape (h, w); what is 0 or no class stays image.
        palette: RGB of each class.
        opacity: Of the colours, in [0, 1].

    Returns:
        Shape (h, w, 3), uint8.
    """
    return _blend(_rgb(image), labels, palette, _painted(labels, palette, background=0), opacity, dimmed=0.6)


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Sequence[int]],
    opacity: float = 0.4,
    contour: int = 2,
    background: int | None = 0,
) -> np.ndarray:
    """Lay classes over an image so that surface and defect both stay visible: a light fill within an opaque contour.

    A defect that is thinner than two contours is all contour, so the thinner a defect, the stronger its colour.

    Args:
        image: Shape (h, w) or (h, w, 3), uint8.
        labels: Class indices, shape (h, w).
        palette: RGB of each class; what is no class stays image.
        opacity: Of the fill, in [0, 1].
        contour: Width of the contour in pixels; 0: none.
        background: The class that stays image, or None.

    Returns:
        Shape (h, w, 3), uint8.
    """
    painted = _painted(labels, palette, background)
    picture = _blend(_rgb(image), labels, palette, painted, opacity)
    edges = painted & contours(labels, contour)
    picture[edges] = np.asarray(palette, np.uint8)[labels[edges]]
    return picture


def dim(image: np.ndarray) -> np.ndarray:
    """A dark grey version of an image (h, w) or (h, w, 3), on which light colours show as well as strong ones."""
    grey = _rgb(image).mean(axis=2, keepdims=True)
    return np.repeat(0.6 * grey, 3, axis=2).round().astype(np.uint8)


def contours(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Pixels within ``width`` (rows plus columns) of a pixel of another value; the border of the image is no contour.

    Args:
        labels: Any values, shape (h, w).
        width: In pixels; 0 gives none.

    Returns:
        Shape (h, w), bool.

    Example:
        >>> import numpy as np
        >>> contours(np.array([[0, 0, 1, 1, 1]])).astype(int).tolist()
        [[0, 1, 1, 0, 0]]
    """
    if width < 1:
        return np.zeros(labels.shape, bool)
    values = labels if labels.dtype == np.uint8 else labels.astype(np.float64)  # OpenCV has no int64
    return cv2.morphologyEx(values, cv2.MORPH_GRADIENT, NEIGHBOURS, iterations=width) > 0


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _painted(labels: np.ndarray, palette: Sequence[Sequence[int]], background: int | None) -> np.ndarray:
    painted = (labels >= 0) & (labels < len(palette))
    return painted if background is None else painted & (labels != background)


def _blend(
    rgb: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Sequence[int]],
    painted: np.ndarray,
    opacity: float,
    dimmed: float = 1.0,
) -> np.ndarray:
    blended = dimmed * rgb.astype(np.float32)
    colors = np.asarray(palette, np.float32)[labels[painted]]
    blended[painted] = (1 - opacity) * blended[painted] + opacity * colors
    return blended.round().astype(np.uint8)
