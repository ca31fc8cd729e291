"""What is taken for what."""

import torch
from torch import Tensor


def confusion_matrix(prediction: Tensor, target: Tensor, num_classes: int, ignore_index: int = 255) -> Tensor:
    """Pixels by their true and their predicted class.

    Args:
        prediction: Class indices, any shape.
        target: Class indices, the same shape; ``ignore_index`` where a pixel does not count.
        num_classes: C.
        ignore_index: The value that does not count.

    Returns:
        Shape (C, C), int64: row i and column j hold the pixels of class i that were taken for class j.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> confusion_matrix(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 0, 255]), num_classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    if prediction.shape != target.shape:
        raise ValueError(f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape')
    counted = target != ignore_index
    pairs = target[counted].long() * num_classes + prediction[counted].long()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def areas_from_confusion(matrix: Tensor) -> Tensor:
    """(3, C) as :func:`simeps_mmseg.evaluation.class_areas` counts them, from a matrix (C, C)."""
    return torch.stack([matrix.diagonal(), matrix.sum(dim=0), matrix.sum(dim=1)])
