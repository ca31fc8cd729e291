"""Images that cannot be read in the middle of a training: unlabelled ones are replaced, labelled ones stop it by name."""

import copy
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.logging import print_log
from torch.utils.data import Dataset

from ..utils import UserError, counted
from ..utils.images import IMAGE_ERRORS, UnreadableImage, check_image_is_whole, read_header
from .labeled_unlabeled import part_keys
from .transforms.loading import decode_color

LEAST_ALLOWED = 10  # unlabelled images that may break, however few there are
SHARE_ALLOWED = 0.01  # of the unlabelled images
# What pipelines raise of a file that is not there or no image; mmcv's loaders go on with None.
LOADING_ERRORS = (*IMAGE_ERRORS, AttributeError, TypeError)
IN_WORKER = re.compile(r'Caught UserError in DataLoader worker process.*\n(?:.|\n)*UserError: (?P<message>(?:.|\n)*)')


class NamedImages(Dataset):
    """A data set whose samples fail with the name of the image, where it is the image that cannot be read.

    Args:
        dataset: The data set.
        key: Where it stands in the config, for messages.
    """

    def __init__(self, dataset: BaseDataset, key: str) -> None:
        self.dataset = dataset
        self.key = key

    @property
    def metainfo(self) -> dict:
        """Classes and palette of the data set."""
        return copy.deepcopy(self.dataset.metainfo)

    def __getattr__(self, name: str) -> object:
        if name == 'dataset' or name.startswith('__'):  # not there yet while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def full_init(self) -> None:
        """Load the list of the data set."""
        self.dataset.full_init()

    def get_data_info(self, index: int) -> dict:
        """What the data set says of a sample."""
        return self.dataset.get_data_info(index)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        try:
            return self.dataset[index]
        except LOADING_ERRORS as error:
            reason = unreadable_file(self.dataset, index)
            if reason is None:  # it was the disk's moment, or is no matter of files and fails again
                return self.dataset[index]
            raise UserError(f'{reason} ({self.key}): mend the file, or take it out of the list') from error


class ReplacedImages(NamedImages):
    """A data set in which the next image stands for one that cannot be read, at every draw, also after a resume.

    Each is reported once. All processes that load data count together.

    Args:
        dataset: The data set, of images without masks.
        key: Where it stands in the config, for messages.

    Raises:
        UserError: On a sample, once more than :data:`LEAST_ALLOWED` images and :data:`SHARE_ALLOWED` of all cannot be read.
    """

    def __init__(self, dataset: BaseDataset, key: str) -> None:
        super().__init__(dataset, key)
        self.allowed = max(LEAST_ALLOWED, int(SHARE_ALLOWED * len(dataset)))
        self.broken = torch.zeros(len(dataset), dtype=torch.bool).share_memory_()

    def __deepcopy__(self, memo: dict) -> 'ReplacedImages':
        twin = copy.copy(self)  # the count stays common
        twin.dataset = copy.deepcopy(self.dataset, memo)
        return twin

    @property
    def count(self) -> int:
        """How many images could not be read until now."""
        return int(self.broken.sum())

    def __getitem__(self, index: int) -> object:
        for step in range(len(self)):
            chosen = (index + step) % len(self)
            if self.broken[chosen]:
                continue
            try:
                return self.dataset[chosen]
            except LOADING_ERRORS:
                reason = unreadable_file(self.dataset, chosen)
                if reason is None:
                    return self.dataset[chosen]
                self._note(chosen, reason)
        raise UserError(f'{self.key}: no image can be read')

    def _note(self, index: int, reason: str) -> None:
        self.broken[index] = True
        if self.count > self.allowed:
            raise UserError(
                f'{self.key}: {self.count} unlabelled images cannot be read, the last: {reason}. Up to {self.allowed} are '
                'replaced by others; look for what is wrong with all of them (a disk that is gone?) and go on with --resume'
            )
        print_log(
            f'{self.key}: {reason}; the next image takes its place ({self.count} of at most {self.allowed})',
            'current',
            logging.WARNING,
        )


def unreadable_file(dataset: BaseDataset, index: int) -> str | None:
    """Which file of a sample cannot be read, and why; None where all can."""
    info = dataset.get_data_info(index)
    for file in filter(None, (info.get('img_path'), info.get('seg_map_path'))):
        try:
            if not os.path.exists(file):
                raise UnreadableImage('no such file')
            check_image_is_whole(Path(file))
            if read_header(file) is None:  # a format that Pillow does not know
                decode_color(Path(file).read_bytes())
        except IMAGE_ERRORS as error:
            return f'{file} cannot be read: {error}'
    return None


def guarded(dataset: Dataset) -> Dataset:
    """A training set that copes with files that break: both sources of two concatenated ones, in place, or all of it."""
    if isinstance(dataset, ConcatDataset) and len(dataset.datasets) == 2:
        labeled, unlabeled = dataset.datasets
        labeled_key, unlabeled_key = part_keys(dataset)
        if not any('seg_map_path' in unlabeled.get_data_info(index) for index in range(min(1, len(unlabeled)))):
            dataset.datasets = [
                NamedImages(labeled, labeled_key),
                ReplacedImages(unlabeled, unlabeled_key),
            ]
            return dataset
    return NamedImages(dataset, 'train_dataloader.dataset')


def guarded_loader(loader: Mapping, build: Callable[[Mapping], Dataset]) -> dict:
    """A dataloader config whose data set is built and :func:`guarded`."""
    return {**loader, 'dataset': guarded(build(loader['dataset']))}


def replaced_images(dataset: Dataset) -> str:
    """A line for the end of a training; empty where every image could be read."""
    count = sum(one.count for one in getattr(dataset, 'datasets', ()) if isinstance(one, ReplacedImages))
    return f'{counted(count, "unlabelled image")} could not be read and had others in their place' if count else ''


@contextmanager
def worker_errors_named() -> Iterator[None]:
    """Show a ``UserError`` of a process that loads data as it was raised there, without its traceback."""
    try:
        yield
    except UserError as error:
        found = IN_WORKER.match(str(error))
        if not found:
            raise
        raise UserError(found['message'].strip()) from error
