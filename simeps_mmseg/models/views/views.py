"""From normalised images to views of them and back."""

from collections.abc import Sequence

import torch.nn as nn
from mmengine.model import BaseDataPreprocessor
from mmseg.registry import MODELS
from torch import Tensor

from ...utils import UserError
from ..losses.pseudo_label import PseudoLabel
from .cut_mix import CutMix, Mix
from .random_view import RandomView

# A 16th of the range of 8 bits: what lies below 0 by more is no rounding, what never gets beyond is black to transforms.
MARGIN = 16


class Views(nn.Module):
    """Random transforms and CutMix of a normalised batch and its pseudo-labels.

    Args:
        view: The transforms; None: none.
        cut_mix: The mix; None: none.
        preprocessor: Says how the images were normalised. Transforms see them in [0, 1], as they were loaded.
        ignore_index: For what labels a transform uncovers.
    """

    def __init__(
        self,
        view: RandomView | None,
        cut_mix: CutMix | None,
        preprocessor: BaseDataPreprocessor,
        ignore_index: int,
    ) -> None:
        super().__init__()
        self.view = view
        self.cut_mix = cut_mix
        self.ignore_index = ignore_index
        self._looked_at = False
        self._preprocessor = [preprocessor]  # in a list: it is the model's module, not a part of this one

    def check(self, samples: Sequence[Tensor]) -> None:
        """Refuse images of which the transforms would see nothing; the first ones that are shown stand for all.

        Args:
            samples: Normalised images (b, c, h, w) or several such batches, of several sizes.

        Raises:
            UserError: On other bands or another range than they take.
        """
        if self.view is not None and not self._looked_at:
            highest = max(check_range(images, *self._normalisation()) for images in samples)
            if len(samples) > 1 and highest < MARGIN:  # one image alone may be a dark one
                raise UserError(_other_range(f'the {len(samples)} that were looked at reach {highest:g}'))
            self._looked_at = True

    def skip_check(self) -> None:
        """Take it for granted that transforms see something of the images: the look at the first ones waits for the device."""
        self._looked_at = True

    def draw_mix(self, inputs: Tensor) -> Mix | None:
        """A mix for images (b, c, h, w), to be shared by several views."""
        return self.cut_mix(inputs) if self.cut_mix is not None else None

    def forward(
        self, inputs: Tensor, maps: Sequence[Tensor] = (), mix: Mix | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Transform each image, then mix them.

        Args:
            inputs: Normalised images, shape (b, 3, h, w).
            maps: Labels (b, h, w), weights (b, h, w) or probabilities (b, C, h, w) that belong to them, moved along.
            mix: From :meth:`draw_mix`.

        Returns:
            Images and maps, of the same shapes.
        """
        moved = list(maps)
        if self.view is not None:
            self.check([inputs])
            images, moved = self.view(self._to_unit(inputs), moved, self.ignore_index)
            inputs = self._from_unit(images)
        if mix is not None:
            inputs, moved = mix(inputs), [mix(one) for one in moved]
        return inputs, moved

    def of_labeled(self, inputs: Tensor, target: PseudoLabel, mix: Mix | None = None) -> tuple[Tensor, PseudoLabel]:
        """A view of images (b, 3, h, w) and of their pseudo-labels; see :meth:`forward`."""
        images, maps = self(inputs, target.maps(), mix)
        uncovers = self.view is not None and self.view.uncovers
        weight = maps[1] if len(maps) > 1 else None
        return images, PseudoLabel(maps[0], weight, target.complete and not uncovers)

    def _to_unit(self, inputs: Tensor) -> Tensor:
        scale, offset = self._normalisation()
        return ((inputs * scale + offset) / 255).clamp(0, 1)

    def _from_unit(self, images: Tensor) -> Tensor:
        scale, offset = self._normalisation()
        return (images * 255 - offset) / scale

    def _normalisation(self) -> tuple[Tensor | float, Tensor | float]:
        preprocessor = self._preprocessor[0]
        return getattr(preprocessor, 'std', 1.0), getattr(preprocessor, 'mean', 0.0)


def check_range(inputs: Tensor, scale: Tensor | float, offset: Tensor | float) -> float:
    """Refuse images of which transforms would see nothing: they take three bands with values from 0 to 255.

    Args:
        inputs: Normalised images, shape (b, c, h, w).
        scale: Standard deviation of the normalisation.
        offset: Mean of the normalisation.

    Returns:
        The highest value before the normalisation.

    Raises:
        UserError: On other bands or another range.
    """
    if inputs.shape[1] != 3:
        raise UserError(
            f'view: transforms take images with 3 bands, got {inputs.shape[1]}; set view=None, or choose a method without '
            'views (--method simeps)'
        )
    loaded = inputs * scale + offset
    low, high = float(loaded.min()), float(loaded.max())
    is_fraction = high <= 1 + 1e-3 and bool((loaded - loaded.round()).abs().max() > 1e-3)
    if high > 256 or is_fraction:
        raise UserError(_other_range(f'these reach {high:g}'))
    if low < -MARGIN:
        raise UserError(_other_range(f'these begin at {low:g}'))
    return high


def _other_range(found: str) -> str:
    return (
        f'view: transforms take images with values from 0 to 255, and {found} before data_preprocessor normalises them; '
        'load them with LoadImageAsUint8 (bit_depth, percentiles) and set data_preprocessor.mean and std for 0 to 255, or '
        'set view=None'
    )


def build_views(
    view: dict | None, cut_mix: dict | None, preprocessor: BaseDataPreprocessor, ignore_index: int
) -> Views | None:
    """:class:`Views` from the configs of ``RandomView`` and ``CutMix``; None if both are None."""
    if not view and not cut_mix:
        return None
    random_view, mix = (MODELS.build(config) if config else None for config in (view, cut_mix))
    return Views(random_view, mix, preprocessor, ignore_index)
