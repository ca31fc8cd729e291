"""Labelled and unlabelled images as one data set."""

import logging
from collections.abc import Sequence
from inspect import signature

from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from ..utils import UserError
from ..utils.config_tree import leaf_configs
from ..utils.dataset_tree import leaf_datasets
from ..utils.slips import did_you_mean
from .image_cache import keep_decoded
from .labeled_unlabeled_configs import KEY, is_kind, labeled_and_unlabeled, labeled_key, own_pipeline_keys
from .listing import build_dataset
from .unlabeled_pipeline import steps_that_ask_for_masks, unlabeled_pipeline

NO_PARTS = (
    'type',
    '_scope_',
    'cache_bytes',
)  # options of a LabeledUnlabeledDataset that its two data sets do not depend on


@DATASETS.register_module()
class UnequalConcatDataset(ConcatDataset):
    """Data sets one after the other, of which the meta information of the first counts, whatever the others have.

    Args:
        datasets: Configs of data sets, wrapped ones too.
    """

    def __init__(self, datasets: Sequence[dict]) -> None:
        # mmengine's own insists on equal meta information, key by key.
        self.datasets: list[BaseDataset] = [build_dataset(config) for config in datasets]
        self.ignore_keys = sorted({key for dataset in self.datasets for key in dataset.metainfo})
        self._metainfo = self.datasets[0].metainfo
        self._fully_initialized = False
        self.full_init()


@DATASETS.register_module()
class LabeledUnlabeledDataset(UnequalConcatDataset):
    """The labelled images of a supervised config and images without masks, for :class:`LabeledUnlabeledSampler`.

    The unlabelled images pass the labelled pipeline without the steps that need a mask (``LoadAnnotations``,
    ``GenerateEdge``, and those that ask for a mask when tried on one image); ``RandomCrop`` keeps its first crop. No mask is
    opened, whether there is one or not. Classes, palette, ``label_map`` and ``reduce_zero_label`` are those of the labelled
    images.

    Args:
        labeled: Config of the labelled data set, as it stands in a supervised config. An outermost ``RepeatDataset`` is
            taken off, because the sampler never ends.
        unlabeled: A folder, the config of a source, or a list of these. Of a folder all images are taken, of any suffix and
            depth, but those (and masks) of the labelled data set and of ``exclude``. A config without ``type`` states what
            differs from the labelled data set, such as ``dict(ann_file='unlabeled.txt')``. A config with a ``pipeline``
            keeps it.
        split: In place of ``unlabeled``: what ``_labeled.txt`` and ``_unlabeled.txt`` are put behind to name two lists
            of one data set, relative to its ``data_root``, such as ``splits/seed0/10pct``.
        exclude: Configs of data sets whose images and masks are not to be taken from a folder, such as the validation set.
        cache_bytes: What decoded images and masks may take: then each file is decoded once in a training, and all processes of
            a machine share them. 0: none is kept. Needs the package lmdb.
        labeled_part: What the labelled data set is restricted to, as ``make_semi --labeled`` has it: a list of names or a
            folder; one for each data set where several are concatenated. Of a folder, the layout and the suffixes are found.

    Raises:
        UserError: If nothing is labelled, a source is neither folder nor config or would open masks, a wrapper has a pipeline
            of its own (``MultiImageMixDataset`` may, outermost), not just one of ``unlabeled`` and ``split`` is given, or
            ``labeled_part`` is neither a list nor a folder with images and masks.

    Attributes:
        labeled_key: Where the labelled data set stands below this one's config.
        own_pipeline_keys: Likewise the pipelines of the unlabelled sources; None for each that is derived.
    """

    def __init__(
        self,
        labeled: dict,
        unlabeled: str | dict | Sequence[str | dict] | None = None,
        split: str | None = None,
        exclude: Sequence[dict] = (),
        labeled_part: str | Sequence[str] | None = None,
        cache_bytes: int = 0,
    ) -> None:
        configs = labeled_and_unlabeled(labeled, unlabeled, split, exclude, labeled_part)
        super().__init__(configs)
        self.labeled_key = labeled_key(labeled)
        self.own_pipeline_keys = own_pipeline_keys(unlabeled)
        for dataset, config, own in zip(
            leaf_datasets(self.datasets[1]), leaf_configs(configs[1]), self.own_pipeline_keys
        ):
            if own is None:
                leave_out_what_asks_for_masks(dataset, config['pipeline'])
        if cache_bytes:
            keep_decoded(self, cache_bytes)


def parts_of(config: dict) -> tuple[dict, dict] | None:
    """Configs of the labelled and the unlabelled data set that a config comes to; None where it is another data set.

    Args:
        config: Of a ``LabeledUnlabeledDataset``, or of a ``ConcatDataset`` of two.

    Raises:
        UserError: On an option that the first has not.
    """
    if is_kind(config, LabeledUnlabeledDataset):
        known = {*NO_PARTS, *signature(LabeledUnlabeledDataset.__init__).parameters}
        for key in config:
            if key not in known:
                raise UserError(f'{KEY}: LabeledUnlabeledDataset has no option {key}{did_you_mean(key, known)}')
        return labeled_and_unlabeled(**{key: value for key, value in config.items() if key not in NO_PARTS})
    return tuple(config['datasets']) if len(config.get('datasets', ())) == 2 else None


def part_keys(dataset: Dataset) -> tuple[str, str]:
    """Config keys of the labelled and the unlabelled part of a training set."""
    if isinstance(dataset, LabeledUnlabeledDataset):
        return 'train_dataloader.dataset.labeled', 'train_dataloader.dataset.unlabeled'
    return 'train_dataloader.dataset.datasets[0]', 'train_dataloader.dataset.datasets[1]'


def leave_out_what_asks_for_masks(dataset: BaseDataset, pipeline: Sequence[dict]) -> None:
    """Try a derived pipeline on the first image; take the steps that ask for a mask out of it, in place, and say so."""
    asking = steps_that_ask_for_masks(pipeline, dataset.get_data_info(0)['img_path']) if len(dataset) else []
    if asking:
        dataset.pipeline = Compose(unlabeled_pipeline(pipeline, asking, {}))
        print_log(
            f'{", ".join(asking)} ask for a mask and are left out of the unlabelled pipeline',
            'current',
            logging.WARNING,
        )
