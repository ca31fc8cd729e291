"""Images of which the colour transforms of a pipeline would make something else than another photograph."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ...datasets.checks.inspection import Problem
from ...datasets.pipelines import Pipeline, pipelines
from ...datasets.unreadable import guarded
from ...utils import UserError
from ...utils.dataset_tree import walk_transforms
from ...utils.spacing import evenly_spaced
from ...utils.undisturbed_random_numbers import undisturbed_random_numbers
from .views import LOOKED_AT, built_views, range_problems

# Steps of MMSegmentation that cut off or wrap what is beyond 8 bits, each in some of the images, as they are drawn.
OF_8_BITS = ('AdjustGamma', 'CLAHE', 'PhotoMetricDistortion')
OF_3_BANDS = ('PhotoMetricDistortion',)


def color_problems(dataset: Dataset) -> Iterator[str]:
    """What is wrong with the images of a training set, or its pipelines: at most one for each pipeline."""
    yield from filter(None, map(_problem_of, pipelines(dataset)))


def loaded_image_problems(cfg: Config) -> Iterator[Problem]:
    """What neither the transforms nor the views of a config can work on; its model is not built."""
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    seen = built_views(cfg)
    try:
        dataset = guarded(DATASETS.build(cfg.train_dataloader.dataset))
        colors = list(color_problems(dataset))
        views = [] if colors or not seen else list(range_problems(dataset, *seen))
    except Exception as error:  # whatever a data set or a step of a pipeline raises
        found = str(error) if isinstance(error, UserError) else f'{type(error).__name__}: {error}'
        yield Problem('cannot be loaded', 'training', 'train_dataloader', 'images that pass the pipeline', found)
        return
    for found in colors:
        yield Problem('not for transforms', 'training', 'pipeline', 'images that its steps can change', found)
    for found in views:
        yield Problem('not for views', 'training', 'model.view', 'images that its transforms can change', found)


@undisturbed_random_numbers()
def _problem_of(pipeline: Pipeline) -> str | None:
    """The first colour transform that is given what it cannot take."""
    colored = {index: names for index, step in enumerate(pipeline.steps) if (names := _color_steps(step))}
    if not colored:
        return None
    for index, image in _given(pipeline, last=max(colored)):
        for name in colored.get(index, ()):
            needs_3_bands = name in OF_3_BANDS
            if reason := unfit(image, needs_3_bands):
                return (
                    f'{pipeline.step_key(index)}: {name} takes images of 8 bits{" with 3 bands" * needs_3_bands}, and '
                    f'{reason}; load them with LoadImageAsUint8 (bit_depth, percentiles), or remove the step'
                )
    return None


def _color_steps(step: object) -> list[str]:
    """Names of the colour transforms that a step is, or has inside."""
    return [name for name in map(_name, (step, *_inside(step))) if name in OF_8_BITS]


def _inside(step: object) -> Iterator[object]:
    nested = hasattr(step, 'transforms') and not isinstance(step.transforms, dict)
    return walk_transforms(step) if nested else iter(())


def _name(step: object) -> str:
    return type(step).__name__


def _given(pipeline: Pipeline, last: int) -> Iterator[tuple[int, NDArray]]:
    """What the steps up to the last are given of some samples: index of the step and image, (h, w) or (h, w, c)."""
    dataset, inner = pipeline.dataset, getattr(pipeline.dataset, 'dataset', None)
    for row in evenly_spaced(len(dataset if inner is None else inner), LOOKED_AT):
        # A file that breaks, or another step: training replaces the image, or names what it is.
        with suppress(Exception):
            sample = dataset.get_data_info(row) if inner is None else copy.deepcopy(inner[row])
            for index, step in enumerate(pipeline.steps[: last + 1]):
                if sample is None:
                    break
                if 'img' in sample:
                    yield index, np.asarray(sample['img'])
                if index < last:
                    sample = _after(step, sample, inner)


def _after(step: Callable[[dict], dict | None], sample: dict, inner: Any) -> dict | None:
    """What a step makes of a sample, mixed with others as ``MultiImageMixDataset`` does it, where the step mixes."""
    if not hasattr(step, 'get_indices'):
        return step(sample)
    rows = step.get_indices(inner)
    rows = rows if isinstance(rows, Sequence) else [rows]
    mixed = step({**sample, 'mix_results': [copy.deepcopy(inner[row]) for row in rows]})
    return mixed and {key: value for key, value in mixed.items() if key != 'mix_results'}


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
