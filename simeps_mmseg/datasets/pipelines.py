"""The pipelines of a training set that was built, and where they stand in its config."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from ..utils.dataset_tree import leaf_datasets
from .labeled_unlabeled import LabeledUnlabeledDataset
from .unreadable import NamedImages


class Pipeline(NamedTuple):
    """What one data set, a wrapper too, does to its samples.

    Attributes:
        dataset: The data set.
        key: Config key of the pipeline.
        is_derived: Whether it is what is left of the labelled pipeline of that key for unlabelled images.
    """

    dataset: Any  # wrappers of MMSegmentation have no class in common
    key: str
    is_derived: bool = False

    @property
    def steps(self) -> list:
        """Its transforms; none where a data set has no pipeline."""
        pipeline = getattr(self.dataset, 'pipeline', ())
        steps = getattr(pipeline, 'transforms', pipeline)
        return list(steps) if isinstance(steps, Sequence) else []

    def step_key(self, index: int) -> str:
        """Config key of a step. Of a derived pipeline, whose steps have other numbers, it is that of the whole."""
        return f'{self.key}, for unlabelled images' if self.is_derived else f'{self.key}[{index}]'


def pipelines(dataset: Dataset, key: str = 'train_dataloader.dataset') -> Iterator[Pipeline]:
    """The pipelines of data sets inside wrappers, and of wrappers of one data set, innermost first.

    Args:
        dataset: The data set, guarded or not.
        key: Where it stands in the config.
    """
    if isinstance(dataset, NamedImages):  # which no config has
        yield from pipelines(dataset.dataset, key)
    elif isinstance(dataset, LabeledUnlabeledDataset):
        labeled = list(pipelines(dataset.datasets[0], f'{key}.{dataset.labeled_key}'))
        yield from labeled
        yield from _unlabeled_pipelines(dataset, key, labeled[0].key, labeled[-1].key)
    elif hasattr(dataset, 'datasets'):
        for index, inner in enumerate(dataset.datasets):
            yield from pipelines(inner, f'{key}.datasets[{index}]')
    else:
        if hasattr(dataset, 'dataset'):
            yield from pipelines(dataset.dataset, f'{key}.dataset')
        yield Pipeline(dataset, f'{key}.pipeline')


def _unlabeled_pipelines(dataset: LabeledUnlabeledDataset, key: str, inner: str, outer: str) -> Iterator[Pipeline]:
    """Those of the unlabelled part.

    Args:
        dataset: The joint data set.
        key: Where it stands in the config.
        inner: Key of the labelled pipeline that those of the sources are derived from.
        outer: Key of the labelled pipeline that the one around all sources is derived from.
    """
    part = dataset.datasets[1]
    for leaf, own in zip(leaf_datasets(part), dataset.own_pipeline_keys):
        yield Pipeline(leaf, f'{key}.{own}') if own else Pipeline(leaf, inner, is_derived=True)
    part = part.dataset if isinstance(part, NamedImages) else part
    if hasattr(part, 'dataset'):
        yield Pipeline(part, outer, is_derived=True)
