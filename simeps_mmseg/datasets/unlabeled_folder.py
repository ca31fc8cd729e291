"""Images without masks, straight from a folder."""

import inspect
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from ..utils import UserError
from ..utils.config_tree import leaf_configs
from ..utils.images import IMAGE_SUFFIXES, list_images
from ..utils.paths import real_path
from .splits import find_listed, read_split


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
        **kwargs,
    ) -> None:
        self.suffixes = tuple(suffixes)
        self.exclude = list(exclude)
        super().__init__(data_root=data_root, ann_file=ann_file, data_prefix=dict(img_path=''), **kwargs)

    def load_data_list(self) -> list[dict]:
        """One dict per image, with ``img_path``."""
        if not Path(self.data_root).is_dir():
            raise UserError(f'{self.data_root} (data_root of UnlabeledFolderDataset) is not a folder')
        names = list_images(self.data_root, self.suffixes)
        if not names:
            raise UserError(
                f'{self.data_root} holds no image: looked for {", ".join(self.suffixes)}, also in sub-folders'
            )
        if self.ann_file:
            names = self._listed(names)
        if self.exclude:
            names = without_used({name: Path(self.data_root) / name for name in names}, self.exclude)
            if not names:
                raise UserError(f'{self.data_root}: nothing is left of its images after exclude')
        common = dict(label_map=self.label_map, reduce_zero_label=self.reduce_zero_label)
        return [dict(img_path=str(Path(self.data_root) / name), seg_fields=[], **common) for name in names]

    def _listed(self, names: list[str]) -> list[str]:
        """Those that the list names, in the order of the list."""
        if not Path(self.ann_file).is_file():
            raise UserError(f'{self.ann_file} (ann_file of UnlabeledFolderDataset) is not there')
        found, missing, twice = find_listed(read_split(self.ann_file), names, self.suffixes)
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
        return list(found.values())


def without_used(paths: dict[str, str | Path], configs: Iterable[dict]) -> list[str]:
    """The names whose files are no image and no mask of data sets, wrapped ones included.

    All of a folder with masks alone is in use. A data set of which no folder is there uses nothing.

    Args:
        paths: Of the files, by name.
        configs: Of the data sets.
    """
    files: set[str] = set()
    folders: set[str] = set()
    leaves = [leaf for config in configs for leaf in leaf_configs(config) if not is_absent(leaf)]
    for dataset in map(build_listing, leaves):
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        images = {real_path(info['img_path']) for info in infos}
        masks = {real_path(info['seg_map_path']) for info in infos if info.get('seg_map_path')}
        files |= images | masks
        prefix = (getattr(dataset, 'data_prefix', None) or {}).get('seg_map_path')
        folder = real_path(prefix) + os.sep if prefix and masks else None
        if folder and not any(image.startswith(folder) for image in images):
            folders.add(folder)
    real = {name: real_path(path) for name, path in paths.items()}
    return [name for name in paths if real[name] not in files and not real[name].startswith(tuple(folders))]


def is_absent(config: dict) -> bool:
    """Whether a data set (not a wrapper) names folders of which none is there."""
    folders = [path for key, path in (config.get('data_prefix') or {}).items() if key in ('img_path', 'seg_map_path')]
    return bool(folders) and not any(Path(config.get('data_root') or '', path).is_dir() for path in folders)


def build_listing(config: dict) -> BaseSegDataset:
    """A data set (not a wrapper) that only lists its files: nothing is loaded from them.

    Its list is not packed for worker processes either, which would cost mmengine a second of collecting garbage.
    """
    listing = {**config, 'pipeline': []}
    parameters = inspect.signature(DATASETS.get(config['type']).__init__).parameters
    if 'serialize_data' in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        listing['serialize_data'] = False
    return DATASETS.build(listing)
