"""A head that is only a classifier."""

from typing import Any

import torch.nn as nn
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError


@MODELS.register_module()
class ConvSegHead(BaseDecodeHead):
    """Classifies features with one convolution; for backbones that bring their own decoder.

    Args:
        kernel_size: Of the classifier. Odd; 3 in the U-Net of Sime et al. 2022.
        **kwargs: Those of ``BaseDecodeHead``; ``channels`` equals ``in_channels``.

    Raises:
        ValueError: If ``channels`` differs from ``in_channels``.
    """

    def __init__(self, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.channels != self.in_channels:
            raise UserError(
                f'ConvSegHead has no layer between in_channels={self.in_channels} and channels={self.channels}: '
                'make them equal'
            )
        self.conv_seg = nn.Conv2d(self.channels, self.out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Logits (b, C, h, w) of the chosen features (b, channels, h, w)."""
        return self.cls_seg(self._transform_inputs(inputs))
