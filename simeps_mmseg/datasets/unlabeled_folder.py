"""Images without masks, straight from a folder."""

import inspect
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from ..utils import UserError
from ..utils.config_tree import leaf_configs
from ..utils.images import IMAGE_SUFFIXES, walk_images
from ..utils.paths import real_path
from .defaults import class_of
from .listing import (
    PathTable,
    RealPaths,
    SampleList,
    build_dataset,
    find_files,
    image_paths,
    kept_listing,
    listed_once,
)
from .splits import walk_split


@DATASETS.register_module()
class UnlabeledFolderDataset(BaseSegDataset):
    """Every image below a folder, whatever its suffix, size, depth and nesting. There are no masks to open.

    It knows no classes; in a :class:`LabeledUnlabeledDataset` those of the labelled data set count. Begin the pipeline with
    :class:`LoadImageAsUint8` where images may have more than 8 bits.

    Args:
        data_root: The folder.
        suffixes: Suffixes of the images, in any case.
        ann_file: Text file, relative to the folder, with the images to use: one per line, as a path relative to the
            folder, with or without suffix (the file's own, or one of ``suffixes`` such as ``_leftImg8bit.png``). Empty: all.
        exclude: Configs of data sets whose images and masks are not to be used, such as those for validation and test
            where they are in the same folder.
        **kwargs: See ``mmseg.datasets.BaseSegDataset``.

    Raises:
        UserError: If the folder or the list is not there, if there is no image, or if the list names one that is not there
            or, without suffix, several.
    """

    def __init__(
        self,
        data_root: str,
        suffixes: Sequence[str] = IMAGE_SUFFIXES,
        ann_file: str = '',
        exclude: Sequence[dict] = (),
        **kwargs: Any,
    ) -> None:
        self.serialize_data: bool
        self.suffixes = tuple(suffixes)
        self.exclude = list(exclude)
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=dict(img_path=''), **kwargs)

    def load_data_list(self) -> SampleList:
        """One dict per image, with ``img_path``, made when it is asked for.

        Of several processes one a machine lists them, unless ``serialize_data`` is off: then nothing is shared.
        """
        listing = partial(kept_listing, self._meaning(), self._names)
        names = listed_once(listing) if self.serialize_data else listing()
        self.serialize_data = False  # the list is one array already
        root = str(Path(self.data_root))
        common = dict(label_map=self.label_map, reduce_zero_label=self.reduce_zero_label)
        return SampleList(names, dict(img_path=('' if root == '.' else root, '')), common, seen=True)

    def _meaning(self) -> tuple[str, ...]:
        """What decides which images are listed."""
        return str(self.data_root), *self.suffixes, str(self.ann_file), repr(self.exclude)

    def _names(self) -> PathTable:
        """Paths of the images, relative to the folder."""
        if not Path(self.data_root).is_dir():
            raise UserError(f'{self.data_root} (data_root of UnlabeledFolderDataset) is not a folder')
        names = PathTable.from_paths(walk_images(self.data_root, self.suffixes))
        if not len(names):
            raise UserError(
                f'{self.data_root} holds no image: looked for {", ".join(self.suffixes)}, also in sub-folders'
            )
        if self.ann_file:
            names = self._listed(names)
        if self.exclude:
            used = UsedFiles(self.exclude)
            root = os.path.join(self.data_root, '')
            left = PathTable.from_paths(name for name in names if not used(f'{root}{name}'))
            if not len(left):
                masks = sum(used.is_mask(f'{root}{name}') for name in names)
                raise UserError(nothing_left(str(self.data_root), len(names), masks))
            return left
        return names

    def _listed(self, names: PathTable) -> PathTable:
        """Those that the list names, in the order of the list."""
        if not Path(self.ann_file).is_file():
            raise UserError(f'{self.ann_file} (ann_file of UnlabeledFolderDataset) is not there')
        found, missing, twice = find_files(PathTable.from_paths(walk_split(self.ann_file)), names, self.suffixes)
        if missing:
            raise UserError(
                f'{self.ann_file} names {len(missing)} image(s) that are not in {self.data_root}, such as {missing[0]}'
            )
        for name, files in twice.items():
            raise UserError(
                f'{name} in {self.ann_file} is {" and ".join(files)} in {self.data_root} ({len(twice)} such names): write '
                f'its suffix into the list, or set suffixes, such as suffixes=["{Path(files[0]).suffix}"], if the others '
                'are no images'
            )
        if not len(found):
            raise UserError(
                f'{self.ann_file} (ann_file of UnlabeledFolderDataset) is empty; leave it out for all images'
            )
        return found


def nothing_left(folder: str, count: int, masks: int) -> str:
    """What is wrong with a folder of which all files are in use.

    Example:
        >>> nothing_left('masks', count=9, masks=9).split(': ')[-1]
        "all 9 are masks of the config's own data sets; give the folder of the images"
    """
    own = "the config's own data sets"
    if masks == count:
        why = f'all {count} are masks of {own}; give the folder of the images'
    elif not masks:
        why = f'all {count} are images of {own}; give a folder with others'
    else:
        why = f'{count - masks} are images and {masks} masks of {own}; give a folder with others'
    return f'{folder}: nothing is left of its images after exclude: {why}'


class UsedFiles:
    """Which files are an image or a mask of data sets, wrapped ones included.

    All of a folder with masks alone is in use. A data set of which no folder is there uses nothing.

    Args:
        configs: Of the data sets.
    """

    def __init__(self, configs: Iterable[dict]) -> None:
        self._real = RealPaths()
        self._images: set[str] = set()
        self._masks: set[str] = set()
        self._folders: tuple[str, ...] = ()
        for config in configs:
            for leaf in leaf_configs(config):
                if not is_absent(leaf):
                    self._add(build_listing(leaf))

    def _add(self, dataset: BaseSegDataset) -> None:
        infos = (dataset.get_data_info(index) for index in range(len(dataset)))
        images = set(map(self._real, image_paths(dataset)))
        masks = {self._real(info['seg_map_path']) for info in infos if info.get('seg_map_path')}
        self._images |= images
        self._masks |= masks
        prefix = (getattr(dataset, 'data_prefix', None) or {}).get('seg_map_path')
        folder = real_path(prefix) + os.sep if prefix and masks else None
        if folder and not any(image.startswith(folder) for image in images):
            self._folders += (folder,)

    def __call__(self, path: str) -> bool:
        """Whether a file is in use."""
        return self._real(path) in self._images or self.is_mask(path)

    def is_mask(self, path: str) -> bool:
        """Whether a file is a mask, or with masks alone in a folder."""
        real = self._real(path)
        return real in self._masks or real.startswith(self._folders)


def without_used(paths: dict[str, str | Path], configs: Iterable[dict]) -> list[str]:
    """The names whose files are not in use by data sets: see :class:`UsedFiles`.

    Args:
        paths: Of the files, by name.
        configs: Of the data sets.
    """
    used = UsedFiles(configs)
    return [name for name, path in paths.items() if not used(str(path))]


def is_absent(config: dict) -> bool:
    """Whether a data set (not a wrapper) names folders of which none is there."""
    folders = [path for key, path in (config.get('data_prefix') or {}).items() if key in ('img_path', 'seg_map_path')]
    return bool(folders) and not any(Path(config.get('data_root') or '', path).is_dir() for path in folders)


def build_listing(config: dict) -> BaseSegDataset:
    """A data set (not a wrapper) that only lists its files: nothing is loaded from them.

    Its list is not packed for worker processes either, which would cost mmengine a second of collecting garbage.
    """
    listing = {**config, 'pipeline': []}
    parameters = inspect.signature(class_of(config) or object).parameters
    if 'serialize_data' in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        listing['serialize_data'] = False
    return build_dataset(listing)
