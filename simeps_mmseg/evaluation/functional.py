"""Scores of segmentations from areas, for a data set and for single images."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

Score = TypeVar('Score')

# Which score decides what is better, in this order: the first counts false alarms, the per-image one cannot see them.
DECIDING = ('mIoU_fg', 'mIoU_image', 'mIoU')
# Errors about whole parts: the less, the better.
PART_SCORES = ('missed', 'false_alarms')
# The scores of the model and of each branch, in the order of tables and panels.
SUMMARY = (*DECIDING, 'mDice_image', 'aAcc_image', *PART_SCORES)


def without_prefix(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Scores by the names that metrics give them, without the ``prefix`` of an evaluator.

    Where several evaluators give the same name, the first one's.

    Example:
        >>> without_prefix({'parts/mIoU_fg': 60.0, 'parts/IoU.dent/bump': 40.0, 'IoU.dent/bump': 50.0, 'step': 2})
        {'mIoU_fg': 60.0, 'IoU.dent/bump': 40.0, 'step': 2}
    """
    found: dict[str, Score] = {}
    for name, score in scores.items():
        prefix, slash, rest = name.partition('/')  # a class may have a slash in its name, and stands behind a dot
        found.setdefault(rest if slash and '.' not in prefix else name, score)
    return found


class ImageScores(NamedTuple):
    """Scores of one image as fractions; NaN where its ground truth has no foreground."""

    miou: float
    mdice: float
    accuracy: float


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
        ValueError: If the shapes differ or a value is neither a class nor ``ignore_index``.

    Example:
        >>> confusion_matrix(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 0, 255]), num_classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    if prediction.shape != target.shape:
        raise ValueError(f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape')
    counted = target != ignore_index
    prediction, target = prediction[counted].long(), target[counted].long()
    for name, values in (('prediction', prediction), ('target', target)):
        if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < num_classes:
            raise ValueError(
                f'the {name} holds values from {int(values.min())} to {int(values.max())}, but there are {num_classes} '
                f'classes and ignore_index is {ignore_index}'
            )
    pairs = target * num_classes + prediction
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_areas(matrix: Tensor) -> Tensor:
    """Pixels of each class in both maps, in the prediction and in the target, shape (..., 3, C), from matrices (..., C, C).

    Args:
        matrix: From :func:`confusion_matrix`.
    """
    return torch.stack([matrix.diagonal(dim1=-2, dim2=-1), matrix.sum(dim=-2), matrix.sum(dim=-1)], dim=-2)


def iou_and_dice(areas: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and Dice of each class from :func:`class_areas`, shapes (..., C), float64; NaN where a class is in neither map."""
    correct, predicted, actual = areas.double().unbind(dim=-2)
    return correct / (predicted + actual - correct), 2 * correct / (predicted + actual)


def scores_from_areas(areas: Tensor) -> ImageScores:
    """The per-image protocol on :func:`class_areas` (3, C) of one image; class 0 is background."""
    actual = areas[2]
    present = actual[1:] > 0
    if not bool(present.any()):
        return ImageScores(float('nan'), float('nan'), float('nan'))
    iou, dice = (values[1:][present].mean().item() for values in iou_and_dice(areas))
    return ImageScores(iou, dice, (areas[0].sum() / actual.sum()).item())


def image_scores(
    prediction: Tensor | np.ndarray,
    target: Tensor | np.ndarray,
    num_classes: int,
    ignore_index: int = 255,
) -> ImageScores:
    """Mean IoU, mean Dice and pixel accuracy of one image by the protocol of the simEps paper.

    The means go over the foreground classes that are present in the image's ground truth. (Over a data set they are
    averaged over the images, those without foreground skipped.) Accuracy counts all pixels, background too.

    Source: Sime et al. 2022, Section IV, and the released code.

    Args:
        prediction: Class indices, shape (h, w); 0 is background.
        target: Class indices, shape (h, w).
        num_classes: Number of classes with background.
        ignore_index: The value in ``target`` that does not count.

    Returns:
        ``(miou, mdice, accuracy)`` as fractions; all NaN where the target has no foreground.

    Raises:
        ValueError: If the shapes differ or a value is not a class.

    Example:
        >>> import numpy as np
        >>> image_scores(np.array([[0, 1, 1, 1]]), np.array([[0, 0, 1, 1]]), num_classes=3)
        ImageScores(miou=0.6666666666666666, mdice=0.8, accuracy=0.75)
    """
    return scores_from_areas(
        class_areas(confusion_matrix(torch.as_tensor(prediction), torch.as_tensor(target), num_classes, ignore_index))
    )
