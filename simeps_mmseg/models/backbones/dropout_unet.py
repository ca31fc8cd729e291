"""The U-Net that simEps was published with: dropout in the encoder, LeakyReLU."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError

UPSAMPLINGS = ('bilinear', 'transposed')


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions with batch norm and LeakyReLU, dropout in between."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.LeakyReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.LeakyReLU(inplace=True),
        )


class UpBlock(nn.Module):
    """Doubles the size; a block reads the result and the encoder's level of that size."""

    def __init__(self, in_channels: int, out_channels: int, upsample: str) -> None:
        super().__init__()
        if upsample == 'transposed':
            self.up: nn.Module = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        else:
            self.up = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1),
                nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True),
            )
        self.conv = ConvBlock(2 * out_channels, out_channels)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        return self.conv(torch.cat([skip, self.up(deep)], dim=1))


@MODELS.register_module()
class DropoutUNet(BaseModule):
    """U-Net of Sime et al. 2022 (after PyMIC's UNet2D), 1.8 M parameters with ``ConvSegHead`` and four classes.

    The paper names transposed convolutions. The released code asks for them, but the argument does not arrive: what was
    trained upsamples bilinearly after a 1 x 1 convolution, and that network has the 1.8 M parameters. So it is the default;
    ``upsample='transposed'`` is the other, with 1.9 M.

    Args:
        in_channels: Of the images.
        channels: Of each level, from the size of the image to the deepest.
        dropout: Of each level's encoder block.
        upsample: ``'bilinear'`` or ``'transposed'``.
        init_cfg: Initialisation config. None: PyTorch's own, as in the released code.

    Raises:
        UserError: If there are not as many dropout rates as levels, fewer than two levels, or an unknown upsampling.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: Sequence[int] = (16, 32, 64, 128, 256),
        dropout: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5),
        upsample: str = 'bilinear',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(channels) != len(dropout) or len(channels) < 2:
            raise UserError(
                'DropoutUNet needs two levels or more and a dropout rate for each, got '
                f'channels={tuple(channels)} and dropout={tuple(dropout)}'
            )
        if upsample not in UPSAMPLINGS:
            raise UserError(f'DropoutUNet.upsample must be one of {UPSAMPLINGS}, got {upsample!r}')
        widths = [in_channels, *channels]
        self.encoder = nn.ModuleList(
            ConvBlock(before, after, rate) for before, after, rate in zip(widths, channels, dropout)
        )
        self.pool = nn.MaxPool2d(2)
        deep_first = list(channels)[::-1]
        self.decoder = nn.ModuleList(UpBlock(*pair, upsample) for pair in pairwise(deep_first))
        self.stride = 2 ** (len(channels) - 1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Levels of the decoder from the deepest feature to the size of the image, like MMSeg's own ``UNet``.

        Args:
            inputs: Shape (b, in_channels, h, w); h and w are multiples of ``stride``.

        Raises:
            UserError: If they are not.
        """
        height, width = inputs.shape[2:]
        if height % self.stride or width % self.stride:
            raise UserError(
                f'DropoutUNet halves its input {len(self.encoder) - 1} times: {height} x {width} is no multiple of '
                f'{self.stride}; set size_divisor={self.stride} in the data_preprocessor'
            )
        skips = [self.encoder[0](inputs)]
        for block in self.encoder[1:]:
            skips.append(block(self.pool(skips[-1])))
        outputs = [skips.pop()]
        for block in self.decoder:
            outputs.append(block(outputs[-1], skips.pop()))
        return tuple(outputs)
