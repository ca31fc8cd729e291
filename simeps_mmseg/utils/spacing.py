"""Evenly spaced choices."""

import numpy as np


def evenly_spaced(count: int, most: int) -> list[int]:
    """Indices of at most ``most`` of ``count`` things, the first and the last among them.

    Example:
        >>> evenly_spaced(5, most=3), evenly_spaced(2, most=3), evenly_spaced(0, most=3)
        ([0, 2, 4], [0, 1], [])
    """
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(int)).tolist()
