"""Images of which the colour transforms of a pipeline would make something else than another photograph."""

from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ...datasets.checks.inspection import Problem
from ...datasets.labeled_unlabeled import part_keys
from ...utils.dataset_tree import leaf_datasets, walk_transforms
from ...utils.spacing import evenly_spaced
from ...utils.undisturbed_random_numbers import undisturbed_random_numbers
from .views import LOOKED_AT, view_problems_of_config

# Steps of MMSegmentation that cut off or wrap what is beyond 8 bits, each in some of the images, as they are drawn.
OF_8_BITS = ('AdjustGamma', 'CLAHE', 'PhotoMetricDistortion')
OF_3_BANDS = ('PhotoMetricDistortion',)


def color_problems(dataset: Dataset) -> Iterator[str]:
    """What is wrong with the images of a training set, of both sources where it has two, or their pipelines."""
    parts = list(getattr(dataset, 'datasets', ()))
    parts, keys = (parts, part_keys(dataset)) if len(parts) == 2 else ([dataset], ('train_dataloader.dataset',))
    for part, key in zip(parts, keys):
        for leaf in leaf_datasets(part):
            yield from _problems_of(leaf, key)


def loaded_image_problems(cfg: Config) -> Iterator[Problem]:
    """What neither the transforms nor the views of a config can work on; its model is not built."""
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    colors = list(color_problems(DATASETS.build(cfg.train_dataloader.dataset)))
    for found in colors:
        yield Problem('not for transforms', 'training', 'pipeline', 'images that its steps can change', found)
    for found in () if colors else view_problems_of_config(cfg):
        yield Problem('not for views', 'training', 'model.view', 'images that its transforms can change', found)


def _problems_of(dataset: BaseDataset, key: str) -> Iterator[str]:
    """At most one for each data set: what its first colour transform is given."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    for index, step in enumerate(steps):
        name = next((name for name in map(_name, (step, *_inside(step))) if name in OF_8_BITS), None)
        if name:
            found = _given(dataset, steps[:index])
            reason = next(filter(None, (unfit(image, name in OF_3_BANDS) for image in found)), None)
            if reason:
                yield (
                    f'{key}.pipeline[{index}]: {name} takes images of 8 bits with 3 bands, and {reason}; load them with '
                    'LoadImageAsUint8 (bit_depth, percentiles), or remove the step'
                )
            return


def _inside(step: object) -> Iterator[object]:
    nested = hasattr(step, 'transforms') and not isinstance(step.transforms, dict)
    return walk_transforms(step) if nested else iter(())


def _name(step: object) -> str:
    return type(step).__name__


def _given(dataset: BaseDataset, before: Sequence) -> Iterator[NDArray]:
    """What the steps before the transform make of some images, (h, w) or (h, w, c)."""
    with undisturbed_random_numbers():
        for index in evenly_spaced(len(dataset), LOOKED_AT):
            sample = dataset.get_data_info(index)
            for step in before:
                sample = step(sample) if sample is not None else None
            if sample is not None:
                yield np.asarray(sample['img'])


def unfit(image: NDArray, with_3_bands: bool = True) -> str | None:
    """What keeps an image (h, w) or (h, w, c) from a colour transform of 8 bits; None where nothing does.

    Example:
        >>> unfit(np.full((2, 2, 3), 65535, np.uint16)), unfit(np.zeros((2, 2, 3), np.uint8))
        ('these have values from 65535 to 65535 (uint16)', None)
        >>> unfit(np.zeros((2, 2, 4), np.uint8)), unfit(np.zeros((2, 2, 4), np.uint8), with_3_bands=False)
        ('these have 4', None)
    """
    bands = image.shape[2] if image.ndim == 3 else 1
    if with_3_bands and bands != 3:
        return f'these have {bands}'
    if image.dtype == np.uint8 or not image.size:
        return None
    low, high = float(image.min()), float(image.max())
    is_fraction = high <= 1 and bool((image != np.rint(image)).any())
    if image.dtype == np.uint16 or low < 0 or high > 255 or is_fraction:  # no transform of OpenCV takes 16 bits
        return f'these have values from {low:g} to {high:g} ({image.dtype})'
    return None
