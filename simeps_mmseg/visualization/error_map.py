"""Map of the errors of a prediction by kind: missed, false alarm, wrong class."""

import numpy as np

CORRECT, MISSED, FALSE, WRONG_CLASS = range(4)
ERROR_KINDS = ('correct', 'missed', 'false alarm', 'wrong class')
# Apart from each other and from the first three class colours with any colour vision; what was missed is the worst and red.
ERROR_COLORS = ((0, 0, 0), (204, 0, 0), (255, 255, 153), (102, 51, 255))


def error_map(
    prediction: np.ndarray, target: np.ndarray, background: int | None = 0, ignore_index: int = 255
) -> np.ndarray:
    """The kind of error at each pixel.

    Args:
        prediction: Class indices, shape (h, w).
        target: Class indices, shape (h, w); ``ignore_index`` where a pixel does not count, which is never an error.
        background: The class that is no defect. None: there is none, and every error is a wrong class.
        ignore_index: See ``target``.

    Returns:
        Shape (h, w), uint8: index into ``ERROR_KINDS``.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> import numpy as np
        >>> [ERROR_KINDS[kind] for kind in error_map(np.array([[1, 0, 1, 2]]), np.array([[1, 1, 0, 1]]))[0]]
        ['correct', 'missed', 'false alarm', 'wrong class']
    """
    if prediction.shape != target.shape:
        raise ValueError(f'prediction {prediction.shape} and target {target.shape} differ in shape')
    wrong = (prediction != target) & (target != ignore_index)
    kinds = np.where(wrong, WRONG_CLASS, CORRECT).astype(np.uint8)
    if background is not None:
        kinds[wrong & (prediction == background)] = MISSED
        kinds[wrong & (target == background)] = FALSE
    return kinds
