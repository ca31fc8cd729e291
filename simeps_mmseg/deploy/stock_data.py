"""Data sets of this package as MMSegmentation's own ``BaseSegDataset``, which reads the same images and classes."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from mmengine.fileio import list_from_file
from mmseg.datasets import BaseSegDataset

from ..datasets.defaults import default_argument
from ..datasets.renumbering import renumbering
from ..datasets.unlabeled_pipeline import loads_labels
from ..utils.config_tree import type_name, walk_dicts
from ..utils.own_types import classes_of, inherits, is_own


def stock_data(loader: dict, dataset_meta: Mapping) -> dict:
    """A loader with stock data sets, in place.

    Args:
        loader: Such as ``test_dataloader``.
        dataset_meta: ``classes`` and ``palette`` for data sets that have none of their own.
    """
    for _, node in list(walk_dicts(loader)):
        if is_own(node.get('type')) and inherits(node['type'], BaseSegDataset):
            for argument in ('img_suffix', 'seg_map_suffix', 'reduce_zero_label'):
                default = default_argument(next(classes_of(node['type'])), argument)
                if default is not None:
                    node.setdefault(argument, default)
            renumber(node, 'pipeline', next(label_maps(node), None))
            node['metainfo'] = {**_named(dataset_meta), **_metainfo(node)}
            node['type'] = 'BaseSegDataset'
    return loader


def _metainfo(dataset: Mapping) -> dict:
    """The ``metainfo`` of a data set; classes may be in a file."""
    meta = dict(dataset.get('metainfo') or {})
    if isinstance(meta.get('classes'), str):
        meta['classes'] = list_from_file(meta['classes'])
    return meta


def renumber(node: dict[str, Any], key: str, label_map: Mapping[int, int] | None) -> None:
    """Put :func:`renumbering` behind what opens the image, in place, where there is something to renumber.

    Not before: what predicts takes the first step for the one that opens an image.
    """
    if label_map:
        steps = list(node.get(key) or [])
        at = 0 if steps and loads_labels(type_name(steps[0]['type'])) else 1
        node[key] = [*steps[:at], renumbering(label_map), *steps[at:]]


def label_maps(loader: Mapping | None) -> Iterator[dict[int, int]]:
    """What the data sets of this package in a loader renumber, as their ``metainfo`` names other classes than their own."""
    for _, node in walk_dicts(loader):
        if is_own(node.get('type')) and inherits(node['type'], BaseSegDataset):
            kind = cast(type[BaseSegDataset], next(classes_of(node['type'])))
            found = kind.get_label_map(_metainfo(node).get('classes'))
            if found:
                yield found


def _named(dataset_meta: Mapping) -> dict:
    return {key: [*dataset_meta[key]] for key in ('classes', 'palette') if dataset_meta.get(key)}
