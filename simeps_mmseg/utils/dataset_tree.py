"""Walks through data sets that were built: those inside wrappers, and the transforms of a pipeline."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset


def leaf_datasets(dataset: Dataset) -> Iterator[BaseDataset]:
    """The data sets inside wrappers such as ConcatDataset and RepeatDataset."""
    if hasattr(dataset, 'datasets'):
        for inner in dataset.datasets:
            yield from leaf_datasets(inner)
    elif hasattr(dataset, 'dataset'):
        yield from leaf_datasets(dataset.dataset)
    else:
        yield dataset


def walk_transforms(pipeline: Any) -> Iterator[object]:
    """All transforms of a ``Compose``, those inside other transforms too."""
    for transform in pipeline.transforms:
        yield transform
        if hasattr(transform, 'transforms') and not isinstance(transform.transforms, dict):
            yield from walk_transforms(transform)
