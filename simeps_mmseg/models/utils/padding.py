"""What the preprocessor adds to an image to bring it to the size of the batch."""

from collections.abc import Mapping

import torch
from mmseg.utils import SampleList
from torch import Tensor


def padding_of(meta: Mapping) -> tuple[int, int, int, int]:
    """Left, right, top and bottom, in pixels.

    Args:
        meta: Meta information of the image, in which ``SegDataPreProcessor`` states them: as ``padding_size`` in training,
            as ``img_padding_size`` when it tests.
    """
    left, right, top, bottom = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
    return left, right, top, bottom


def without_padding(maps: Tensor, meta: Mapping) -> Tensor:
    """The part of maps (..., h, w) that is image: a view.

    Args:
        maps: At the size of the network's input.
        meta: See :func:`padding_of`.

    Example:
        >>> without_padding(torch.zeros(2, 4, 4), dict(img_padding_size=(0, 1, 0, 2))).shape
        torch.Size([2, 2, 3])
    """
    left, right, top, bottom = padding_of(meta)
    height, width = maps.shape[-2:]
    return maps[..., top : height - bottom, left : width - right]


def has_padding(data_samples: SampleList) -> bool:
    """Whether any image was padded to the size of the batch."""
    return any(any(padding_of(sample.metainfo)) for sample in data_samples)


def mask_padding(labels: Tensor, data_samples: SampleList, ignore_index: int) -> Tensor:
    """Labels (b, h, w) with ``ignore_index`` where an image was padded; the labels themselves where none was."""
    if not has_padding(data_samples):
        return labels
    padded = torch.ones_like(labels, dtype=torch.bool)
    for image, sample in zip(padded, data_samples):
        without_padding(image, sample.metainfo)[:] = False
    return labels.masked_fill(padded, ignore_index)
