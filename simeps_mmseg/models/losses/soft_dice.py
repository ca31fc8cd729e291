"""Soft Dice over the whole batch, the overlap term of simEps."""

import torch
import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from .utils import autocast_disabled, check_logits_and_target, check_values, one_hot

EPSILON = 1e-7


def soft_dice_loss(
    logits: Tensor,
    target: Tensor,
    ignore_index: int | None = 255,
    class_weight: Tensor | list[float] | None = None,
    pixel_weight: Tensor | None = None,
) -> Tensor:
    """One minus the mean soft Dice of the classes.

    Intersection and cardinality of each class are summed over *all* pixels of *all* images of the batch before the ratio
    is taken, so an image without a class costs nothing. (``mmseg``'s ``DiceLoss`` takes the ratio per image and squares
    the cardinalities: another function.) Computed in float32 whatever autocast does outside.

    Source: Sime et al. 2022, the Dice part of Eq. 2, as in the released code.

    Args:
        logits: Raw scores, shape (b, C, h, w), C >= 2.
        target: Class indices, shape (b, h, w), int64; ``ignore_index`` where a pixel does not count.
        ignore_index: The value in ``target`` that does not count. None: every pixel counts.
        class_weight: Shape (C,); the mean over classes becomes a weighted one.
        pixel_weight: Shape (b, h, w) or (b, 1, h, w); scales each pixel's part in both sums.

    Returns:
        Scalar float32, in [0, 1].

    Raises:
        ValueError: On shapes that do not fit, a value that is no class, or a ``class_weight`` of another length.

    Example:
        >>> import torch
        >>> target = torch.tensor([[[0, 1]]])
        >>> logits = 100 * torch.tensor([[[[1., 0.]], [[0., 1.]]]])
        >>> round(soft_dice_loss(logits, target).item(), 6)
        0.0
        >>> round(soft_dice_loss(-logits, target).item(), 6)
        1.0
    """
    check_logits_and_target(logits, target)
    check_values(target, logits.shape[1], ignore_index)
    with autocast_disabled(logits):
        probabilities = logits.float().softmax(dim=1)
        return soft_dice_from_probabilities(probabilities, target, ignore_index, class_weight, pixel_weight)


def soft_dice_from_probabilities(
    probabilities: Tensor,
    target: Tensor,
    ignore_index: int | None = 255,
    class_weight: Tensor | list[float] | None = None,
    pixel_weight: Tensor | None = None,
) -> Tensor:
    """:func:`soft_dice_loss` for float32 class probabilities that are already there, shape (b, C, h, w).

    ``ignore_index=None``: every pixel counts, which saves looking.
    """
    num_classes = probabilities.shape[1]
    truth = one_hot(target, num_classes, ignore_index)
    pixels = truth if pixel_weight is None else truth * pixel_weight.reshape(target.shape).unsqueeze(1).float()
    intersection = (probabilities * pixels).sum(dim=(0, 2, 3))
    predicted = _class_areas(probabilities, target, ignore_index, pixel_weight)
    dice = 2 * intersection / (predicted + pixels.sum(dim=(0, 2, 3)) + EPSILON)
    if class_weight is None:
        return 1 - dice.sum() / num_classes
    weights = _class_weights(class_weight, num_classes, probabilities)
    return 1 - (weights * dice).sum() / weights.sum()


def _class_areas(
    probabilities: Tensor, target: Tensor, ignore_index: int | None, pixel_weight: Tensor | None
) -> Tensor:
    """(C,) probability mass of each class over the pixels that count."""
    counted = None if ignore_index is None else target != ignore_index
    if pixel_weight is not None:
        weight = pixel_weight.reshape(target.shape).float()
        counted = weight if counted is None else counted * weight
    if counted is None:
        return probabilities.sum(dim=(0, 2, 3))
    return (probabilities * counted.unsqueeze(1)).sum(dim=(0, 2, 3))


def _class_weights(class_weight: Tensor | list[float], num_classes: int, like: Tensor) -> Tensor:
    weights = torch.as_tensor(class_weight, dtype=like.dtype, device=like.device)
    if weights.shape != (num_classes,):
        raise ValueError(
            f'class_weight has shape {tuple(weights.shape)}, but the logits have {num_classes} classes: '
            f'give {num_classes} numbers'
        )
    return weights


@MODELS.register_module()
class SoftDiceLoss(nn.Module):
    """:func:`soft_dice_loss` for any MMSeg ``loss_decode``.

    Args:
        class_weight: One weight per class.
        loss_weight: Factor on the value.
        loss_name: Key of the loss in the log; has to start with ``loss`` to be trained on.
    """

    def __init__(
        self,
        class_weight: list[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_soft_dice',
    ) -> None:
        super().__init__()
        self.class_weight = class_weight
        self.loss_weight = loss_weight
        self._loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = 255,
        **kwargs: object,
    ) -> Tensor:
        """Weighted soft Dice of logits (b, C, h, w) and labels (b, h, w); ``weight`` is per pixel, as samplers give."""
        loss = soft_dice_loss(cls_score, label, ignore_index, self.class_weight, pixel_weight=weight)
        return self.loss_weight * loss

    @property
    def loss_name(self) -> str:
        return self._loss_name
