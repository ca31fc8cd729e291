"""Which of many images to take, without taking the same thing twice."""

from collections.abc import Sequence

import numpy as np

# Cosine similarity of features above which images count as near-duplicates, where nothing else is asked for.
NEAR_DUPLICATE = 0.999


def thin_out(features: np.ndarray, order: Sequence[int], threshold: float) -> np.ndarray:
    """Find near-duplicates, greedily: in order, an image is kept unless it resembles one that was kept before.

    Args:
        features: One row per image, shape (n, d).
        order: Indices of the images, the best first.
        threshold: Cosine similarity above which two images are near-duplicates; 1 or more keeps all.

    Returns:
        For each image the index of the kept one that it repeats (the most similar), or -1 for those that are kept; int64.

    Raises:
        ValueError: If the order is none of the rows.

    Example:
        >>> features = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
        >>> thin_out(features, order=[2, 0, 1], threshold=0.9).tolist()
        [2, -1, -1]
    """
    if features.ndim != 2 or sorted(order) != list(range(len(features))):
        raise ValueError(
            f'order must name each row of features (n, d) once, got features {features.shape} and {len(order)} indices'
        )
    repeats = np.full(len(features), -1, np.int64)
    kept: list[int] = []
    units = np.empty(features.shape, np.float32)  # those of the kept ones
    for index in order:
        row = features[index].astype(np.float32)
        row /= np.linalg.norm(row) or 1
        similarity = np.minimum(units[: len(kept)] @ row, 1)  # rounding goes beyond 1
        if kept and similarity.max() > threshold:
            repeats[index] = kept[int(similarity.argmax())]
        else:
            units[len(kept)] = row
            kept.append(index)
    return repeats
