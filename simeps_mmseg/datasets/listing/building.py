"""Data sets of MMSegmentation with a list that is small in memory."""

from functools import partial
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from .kept import kept_listing
from .paths import PathTable
from .samples import SampleList
from .shared import listed_once


def build_dataset(config: dict) -> Dataset:
    """Build a data set; where MMSegmentation itself would read its list of names, by :func:`listed_samples`."""
    kind = config['type'] if isinstance(config['type'], type) else DATASETS.get(config['type'])
    is_stock = getattr(kind, 'load_data_list', None) is BaseSegDataset.load_data_list
    if not is_stock or not config.get('ann_file') or config.get('backend_args') or config.get('lazy_init'):
        return DATASETS.build(config)
    dataset = DATASETS.build({**config, 'lazy_init': True})
    if Path(dataset.ann_file).is_file():
        dataset.load_data_list = partial(listed_samples, dataset)
    dataset.full_init()
    vars(dataset).pop('load_data_list', None)
    return dataset


def listed_samples(dataset: BaseSegDataset) -> SampleList:
    """What MMSegmentation makes of the lines of a data set's list, empty ones included.

    Of several processes one a machine reads them, unless ``serialize_data`` is off: then nothing is shared.
    """

    def read() -> PathTable:
        with open(dataset.ann_file, encoding='utf-8', newline='\n') as lines:
            return PathTable.from_paths(line.strip() for line in lines)

    read_or_kept = partial(kept_listing, str(dataset.ann_file), read)
    names = listed_once(read_or_kept) if dataset.serialize_data else read_or_kept()
    dataset.serialize_data = False  # the list is one array already
    suffixes = dict(img_path=dataset.img_suffix, seg_map_path=dataset.seg_map_suffix)
    prefix = dataset.data_prefix
    places = {key: (prefix[key], suffixes[key]) for key in suffixes if prefix.get(key) is not None}
    return SampleList(names, places, dict(label_map=dataset.label_map, reduce_zero_label=dataset.reduce_zero_label))
