"""What can be wrong with the labelled, the unlabelled and the validation images of an experiment."""

import logging
from collections.abc import Iterator

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torch.utils.data import Dataset

from ...datasets.labeled_unlabeled import part_keys
from ...datasets.listing import shared_images
from ...utils.dataset_tree import leaf_datasets, walk_transforms
from ..prediction import opens_masks


def source_problems(dataset: Dataset) -> Iterator[str]:
    """The labelled source must open masks, the unlabelled one must not."""
    sources = getattr(dataset, 'datasets', [])
    if len(sources) != 2:
        return
    labeled, unlabeled = part_keys(dataset)
    for source in leaf_datasets(sources[0]):
        if not _opens_masks(source):
            yield f'{labeled} (labelled): the pipeline has no LoadAnnotations'
    for source in leaf_datasets(sources[1]):
        if _opens_masks(source):
            yield f'{unlabeled} (unlabelled): the pipeline has LoadAnnotations, so masks would be opened; remove it'
        if getattr(source, 'data_prefix', {}).get('seg_map_path'):
            yield f'{unlabeled} (unlabelled): data_prefix has seg_map_path; remove it'
        yield from _unlabeled_sample_problems(source, unlabeled)
    shared = shared_images(sources[0], sources[1])
    if shared:
        print_log(
            f'{len(shared)} images are labelled and unlabelled at once, such as {min(shared)}',
            logger='current',
            level=logging.WARNING,
        )


def _unlabeled_sample_problems(source: BaseDataset, key: str) -> Iterator[str]:
    """Some transforms ask for a mask, such as RandomCrop with cat_max_ratio, others make one: run each once."""
    sample = source.get_data_info(0)
    for transform in source.pipeline.transforms:
        try:
            sample = transform(sample)
        except KeyError as error:
            advice = '; set its cat_max_ratio=1.0' if type(transform).__name__ == 'RandomCrop' else '; remove it'
            yield (
                f'{key} (unlabelled): {type(transform).__name__} in the pipeline asks for '
                f'{error}, which an image without a mask does not have{advice}'
            )
            return
        if sample and ('gt_seg_map' in sample or 'gt_sem_seg' in sample.get('data_samples', ())):
            yield (
                f'{key} (unlabelled): {type(transform).__name__} in the pipeline gives the image a mask, so it would be '
                'trained on as a labelled one; remove it'
            )
            return


def validation_problems(train: Dataset, validation: Dataset) -> Iterator[str]:
    """An image that is trained on validates nothing, nor does one without a mask."""
    if not all(_opens_masks(leaf) for leaf in leaf_datasets(validation)):
        yield 'val_dataloader.dataset: the pipeline has no LoadAnnotations, so there is nothing to score by'
    shared = shared_images(train, validation)
    if shared:
        yield (
            f'{len(shared)} images of val_dataloader are also trained on, such as {min(shared)}: '
            'take them out of the split files; of a folder, name their data set in train_dataloader.dataset.exclude'
        )


def _opens_masks(dataset: BaseDataset) -> bool:
    return any(opens_masks(transform) for transform in walk_transforms(dataset.pipeline))
