"""Class weights for labels in which some classes have few pixels."""

from collections.abc import Sequence


def class_weights(pixels: Sequence[float]) -> list[float]:
    """(largest / own) ** 0.5 of each class, to two digits: for the ``class_weight`` of a cross-entropy.

    Without them a class of about a hundredth of the pixels may never be learned; with the full ratio the network sees it
    everywhere.

    Args:
        pixels: Of each class in the labels, as counts or shares, in the order of the classes; one of them above 0.

    Returns:
        1 for the most frequent class, and for classes without any pixel.

    Example:
        >>> class_weights([960_000, 300, 40_000, 0])
        [1.0, 57.0, 4.9, 1.0]
    """
    most = max(pixels)
    return [float(f'{(most / own) ** 0.5:.2g}') if own else 1.0 for own in pixels]
