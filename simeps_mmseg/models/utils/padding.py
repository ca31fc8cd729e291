"""What the preprocessor adds to an image to bring it to the size of the batch."""

from collections.abc import Mapping

import torch
from mmseg.utils import SampleList
from torch import Tensor


def without_padding(maps: Tensor, meta: Mapping) -> Tensor:
    """The part of maps (..., h, w) that is image: a view.

    Args:
        maps: At the size of the network's input.
        meta: Meta information of the image, in which ``SegDataPreProcessor`` states left, right, top and bottom: as
            ``padding_size`` in training, as ``img_padding_size`` when it tests.

    Example:
        >>> without_padding(torch.zeros(2, 4, 4), dict(img_padding_size=(0, 1, 0, 2))).shape
        torch.Size([2, 2, 3])
    """
    left, right, top, bottom = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
    height, width = maps.shape[-2:]
    return maps[..., top : height - bottom, left : width - right]


def mask_padding(labels: Tensor, data_samples: SampleList, ignore_index: int) -> Tensor:
    """Labels (b, h, w) with ``ignore_index`` where an image was padded to the size of the batch."""
    padded = torch.ones_like(labels, dtype=torch.bool)
    for image, sample in zip(padded, data_samples):
        without_padding(image, sample.metainfo)[:] = False
    return labels.masked_fill(padded, ignore_index)
