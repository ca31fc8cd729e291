"""Random transforms of a batch on its device, each image on its own, labels moved along."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn as nn
import torchvision.transforms.v2 as v2
from mmseg.registry import MODELS
from torch import Tensor
from torchvision import tv_tensors

from ...utils import UserError

# They mix or recolour channels, so a grey image would not stay grey.
COLOURING = ('RandomChannelPermutation', 'RandomPhotometricDistort', 'GaussianNoise')


class GreyNoise(v2.Transform):
    """Gaussian noise, the same in all channels: a grey image stays grey. (torchvision's differs between channels.)

    Args:
        sigma: Smallest and largest standard deviation; images are in [0, 1].
    """

    _transformed_types = (tv_tensors.Image,)

    def __init__(self, sigma: Sequence[float] = (0.0, 0.05)) -> None:
        super().__init__()
        self.sigma = tuple(sigma)

    def make_params(self, flat_inputs: list) -> dict:
        """One standard deviation per call."""
        low, high = self.sigma
        return dict(sigma=low + (high - low) * float(torch.rand(())))

    def transform(self, inpt: Tensor, params: dict) -> Tensor:
        """Add the noise to an image (c, h, w)."""
        return (inpt + params['sigma'] * torch.randn_like(inpt[:1])).clamp(0, 1)


@MODELS.register_module()
class RandomView(nn.Module):
    """Transforms of ``torchvision.transforms.v2`` by name, drawn anew for each image, from torch's global generator.

    Photometric ones change the images; geometric ones move images, labels and weights alike. What a transform uncovers
    becomes ``ignore_index`` in the labels.

    Args:
        transforms: Configs such as ``dict(type='ColorJitter', brightness=0.2, p=0.8)``: the name of a transform, or
            ``GreyNoise``, its arguments, and optionally ``p``, the probability that it is applied.
        grey: Whether a grey image has to stay grey: refuses transforms that mix or recolour channels, and hue and
            saturation.

    Raises:
        ValueError: On an unknown transform, arguments that it does not take, or one that is not safe for grey images.
    """

    def __init__(self, transforms: Sequence[dict], grey: bool = True) -> None:
        super().__init__()
        self.transforms = [dict(transform) for transform in transforms]
        if grey:
            for transform in self.transforms:
                _check_grey(transform)
        self._built: dict[int, v2.Compose] = {}
        self._compose(255)  # so that a wrong config fails now

    def forward(self, images: Tensor, maps: Sequence[Tensor], ignore_index: int) -> tuple[Tensor, list[Tensor]]:
        """A view of a batch.

        Args:
            images: Shape (b, 3, h, w), float, in [0, 1].
            maps: Tensors (b, ..., h, w) that belong to the images, such as labels or weights.
            ignore_index: For what labels a transform uncovers.

        Returns:
            Images and maps, of the same shapes.
        """
        compose = self._compose(ignore_index)
        viewed = []
        for image, *own in zip(images, *maps):
            items = compose(tv_tensors.Image(image), *[tv_tensors.Mask(one) for one in own])
            viewed.append(items if isinstance(items, (tuple, list)) else [items])
        stacked = [torch.stack([one.as_subclass(torch.Tensor) for one in column]) for column in zip(*viewed)]
        return stacked[0], stacked[1:]

    @property
    def uncovers(self) -> bool:
        """Whether a transform may show what lies outside an image, where labels become ``ignore_index``."""
        return any('fill' in inspect.signature(_kind(config['type'])).parameters for config in self.transforms)

    def _compose(self, ignore_index: int) -> v2.Compose:
        if ignore_index not in self._built:
            self._built[ignore_index] = v2.Compose(
                [_build(t, ignore_index) for t in self.transforms] or [v2.Identity()]
            )
        return self._built[ignore_index]


def _build(config: dict, ignore_index: int) -> v2.Transform:
    config = dict(config)
    name, probability = config.pop('type', None), config.pop('p', None)
    kind = _kind(name)
    if not (inspect.isclass(kind) and issubclass(kind, v2.Transform)):
        raise UserError(f'RandomView.transforms: torchvision.transforms.v2 has no transform {name!r}')
    takes = inspect.signature(kind).parameters
    if 'fill' in takes and 'fill' not in config:
        config['fill'] = {tv_tensors.Image: 0.0, tv_tensors.Mask: float(ignore_index)}
    if probability is not None and 'p' in takes:
        config['p'] = probability
    try:
        transform = kind(**config)
    except (TypeError, ValueError) as error:
        raise UserError(f'RandomView.transforms: {name}: {error}') from error
    return v2.RandomApply([transform], probability) if probability is not None and 'p' not in takes else transform


def _kind(name: object) -> Any:
    return GreyNoise if name == 'GreyNoise' else getattr(v2, str(name), None)


def _check_grey(config: dict) -> None:
    colours = [key for key in ('hue', 'saturation') if config.get(key)]
    if config.get('type') in COLOURING or colours:
        what = f'{config["type"]} with {" and ".join(colours)}' if colours else config['type']
        instead = ' (GreyNoise adds the same noise to all channels)' if config['type'] == 'GaussianNoise' else ''
        raise UserError(
            f'RandomView.transforms: {what} would colour a grey image; remove it, or set grey=False{instead}'
        )
