"""What can be wrong with a semi-supervised experiment, found before its first iteration."""

import logging
from collections.abc import Iterator
from typing import Any

from mmengine.dataset import ConcatDataset
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.runner import IterBasedTrainLoop
from mmengine.runner.base_loop import BaseLoop
from mmseg.models import BaseSegmentor
from torch.utils.data import DataLoader, Dataset

from ..datasets.labeled_unlabeled import LabeledUnlabeledDataset
from ..datasets.samplers import LabeledUnlabeledSampler
from ..datasets.unlabeled_folder import leaf_datasets as leaves
from ..models.utils import one_image_fails
from ..utils import UserError
from ..utils.paths import real_path
from .prediction import opens_masks


def check_experiment(train_loop: BaseLoop, model: BaseSegmentor, val_loop: BaseLoop | None = None) -> None:
    """Look at loop, sampler, sources, classes and validation set together.

    Raises:
        UserError: A ``ValueError`` with every problem found, each with its config key and what to do.
    """
    loader = train_loop.dataloader
    problems = [
        *loop_problems(train_loop),
        *model_problems(model),
        *sampler_problems(loader, model),
        *source_problems(loader.dataset),
        *class_problems(loader.dataset, model),
    ]
    if val_loop is not None:
        problems += validation_problems(loader.dataset, val_loop.dataloader.dataset)
    if problems:
        raise UserError('this experiment cannot train as intended:\n' + '\n'.join(f'  - {p}' for p in problems))


def loop_problems(loop: BaseLoop) -> Iterator[str]:
    """The sampler is endless, so an epoch would never end."""
    if not isinstance(loop, IterBasedTrainLoop):
        yield (
            f'train_cfg: {type(loop).__name__} counts epochs, but the stream of labelled and unlabelled images has none; '
            "use dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...)"
        )


def model_problems(model: BaseSegmentor) -> Iterator[str]:
    """A supervised model has no use for the hook."""
    if not hasattr(model, 'set_rampup'):
        yield (
            f'model.type: {type(model).__name__} has no unsupervised losses to ramp; '
            'use TriBranchSemiSegmentor, or drop SemiSupervisedHook from custom_hooks'
        )


def sampler_problems(loader: DataLoader, model: BaseSegmentor) -> Iterator[str]:
    """The shares of a batch against its size and against what the similarity map needs."""
    sampler = loader.sampler
    if not isinstance(sampler, LabeledUnlabeledSampler):
        if isinstance(loader.dataset, LabeledUnlabeledDataset):
            yield (
                f'train_dataloader.sampler: {type(sampler).__name__} draws labelled and unlabelled images as they come; use '
                "dict(type='LabeledUnlabeledSampler', num_labeled=..., num_unlabeled=...)"
            )
        return
    if loader.batch_size != sampler.batch_size:
        yield (
            f'train_dataloader: batch_size={loader.batch_size}, but the sampler draws num_labeled={sampler.num_labeled} '
            f'+ num_unlabeled={sampler.num_unlabeled} = {sampler.batch_size}; make them equal'
        )
    single = [name for name in ('num_labeled', 'num_unlabeled') if getattr(sampler, name) == 1]
    if single:
        yield from pooled_norm_problems(model, single, loader.dataset[0]['inputs'].shape)
    similarity = getattr(model, 'similarity', None)
    if similarity is None:
        return
    processes = get_world_size() if similarity.gather else 1
    for name in single:
        if processes < 2:
            yield (
                f'train_dataloader.sampler.{name}=1: the similarity map compares the images of a batch and is constant '
                'for a single one; use 2 or more, or model.similarity=None'
            )


def pooled_norm_problems(model: BaseSegmentor, single: list[str], shape: tuple[int, int, int]) -> Iterator[str]:
    """Shares of a batch with one image, which batch norm behind pooling to one pixel cannot normalise."""
    for k, branch in enumerate(getattr(model, 'branches', [])):
        if one_image_fails(branch, tuple(shape), labeled='num_labeled' in single):
            yield (
                f'train_dataloader.sampler.{" and ".join(single)}=1: branch {k} has batch norm behind pooling to one pixel '
                '(such as ASPP or PSP), which needs 2 images or more; raise the number, or use norm_cfg=dict(type="GN", ...)'
            )
            return


def source_problems(dataset: Dataset) -> Iterator[str]:
    """The labelled source must open masks, the unlabelled one must not."""
    sources = getattr(dataset, 'datasets', [])
    if len(sources) != 2:
        return
    labeled, unlabeled = part_keys(dataset)
    for source in leaves(sources[0]):
        if not _opens_masks(source):
            yield f'{labeled} (labelled): the pipeline has no LoadAnnotations'
    for source in leaves(sources[1]):
        if _opens_masks(source):
            yield (f'{unlabeled} (unlabelled): the pipeline has LoadAnnotations, so masks would be opened; remove it')
        if getattr(source, 'data_prefix', {}).get('seg_map_path'):
            yield f'{unlabeled} (unlabelled): data_prefix has seg_map_path; remove it'
        yield from _unlabeled_sample_problems(source, unlabeled)
    shared = _paths(sources[0]) & _paths(sources[1])
    if shared:
        print_log(
            f'{len(shared)} images are labelled and unlabelled at once, such as {min(shared)}',
            logger='current',
            level=logging.WARNING,
        )


def part_keys(dataset: Dataset) -> tuple[str, str]:
    """Config keys of the labelled and the unlabelled data set."""
    if isinstance(dataset, LabeledUnlabeledDataset):
        return 'train_dataloader.dataset.labeled', 'train_dataloader.dataset.unlabeled'
    return 'train_dataloader.dataset.datasets[0]', 'train_dataloader.dataset.datasets[1]'


def _unlabeled_sample_problems(source: Dataset, key: str) -> Iterator[str]:
    """Some transforms ask for a mask, such as RandomCrop with cat_max_ratio: run each once."""
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


def class_problems(dataset: Dataset, model: BaseSegmentor) -> Iterator[str]:
    """As many classes in the head as in the data set."""
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if classes is not None and hasattr(model, 'num_classes') and len(classes) != model.num_classes:
        yield (
            f'decode_head.num_classes={model.num_classes}, but {_name(dataset)} has {len(classes)} classes: '
            f'{", ".join(classes)}'
        )


def validation_problems(train: Dataset, validation: Dataset) -> Iterator[str]:
    """An image that is trained on validates nothing, nor does one without a mask."""
    if not all(_opens_masks(leaf) for leaf in leaves(validation)):
        yield 'val_dataloader.dataset: the pipeline has no LoadAnnotations, so there is nothing to score by'
    shared = _paths(train) & _paths(validation)
    if shared:
        yield (
            f'{len(shared)} images of val_dataloader are also trained on, such as {min(shared)}: '
            'take them out of the split files; of a folder, name their data set in train_dataloader.dataset.exclude'
        )


def _name(dataset: Dataset) -> str:
    return type(next(leaves(dataset))).__name__ if isinstance(dataset, ConcatDataset) else type(dataset).__name__


def _opens_masks(dataset: Dataset) -> bool:
    return any(opens_masks(transform) for transform in _transforms(dataset.pipeline))


def _transforms(pipeline: Any) -> Iterator[object]:
    for transform in pipeline.transforms:
        yield transform
        if hasattr(transform, 'transforms') and not isinstance(transform.transforms, dict):
            yield from _transforms(transform)


def _paths(dataset: Dataset) -> set[str]:
    return {real_path(leaf.get_data_info(index)['img_path']) for leaf in leaves(dataset) for index in range(len(leaf))}
