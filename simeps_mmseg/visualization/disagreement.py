"""Map of the pixels that branches predict differently."""

from itertools import combinations

import numpy as np


def disagreement_map(predictions: np.ndarray) -> np.ndarray:
    """Share of the pairs of branches that name different classes.

    With three branches: 0 where all agree, 2/3 where one stands alone, 1 where each says something else.

    Args:
        predictions: Class indices, shape (K, h, w), K >= 2.

    Returns:
        Shape (h, w), float32, in [0, 1].

    Raises:
        ValueError: With fewer than two branches.

    Example:
        >>> import numpy as np
        >>> disagreement_map(np.array([[[0, 0, 0]], [[0, 0, 1]], [[0, 1, 2]]])).round(2).tolist()
        [[0.0, 0.6700000166893005, 1.0]]
    """
    if len(predictions) < 2:
        raise ValueError(f'disagreement is between branches: at least 2 predictions are needed, got {len(predictions)}')
    differ = [first != second for first, second in combinations(predictions, 2)]
    return np.asarray(np.mean(differ, axis=0, dtype=np.float32))
