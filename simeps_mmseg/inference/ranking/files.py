"""Which images are ranked."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ...datasets import unlabeled_folder
from ...datasets.checks import inspection
from ...datasets.sources import part_configs
from ...datasets.splits import find_listed
from ...utils import UserError
from ...utils.images import list_images
from .split import UNLABELED, read_part


def find_images(root: Path, split: str | None, suffixes: Sequence[str] = ()) -> dict[str, Path]:
    """Images by name: all below a folder, or those of the unlabelled part of a split, as the split names them.

    Args:
        root: The folder.
        split: Prefix of the split. None: all.
        suffixes: What the config's data sets add to the names.

    Raises:
        UserError: If there are none, or the split names others.
    """
    found = list_images(root)
    if not found:
        raise UserError(f'{root} is no folder with images')
    if split is None:
        return {name: root / name for name in found}
    by_name, missing, twice = find_listed(read_part(split, UNLABELED), found, suffixes)
    if missing:
        raise UserError(
            f'{len(missing)} images of {split}{UNLABELED} are not below {root}, such as {missing[0]}; the folder is the one '
            'that the names in the split start from (data_root and data_prefix.img_path of the data set)'
        )
    for name, files in twice.items():
        raise UserError(
            f'{name} of {split}{UNLABELED} is {" and ".join(str(root / file) for file in files)} ({len(twice)} such names): '
            'they have no suffix, so put masks, or copies in another format, into a folder of their own'
        )
    return {name: root / file for name, file in by_name.items()}


def not_used_by(cfg: Config, files: dict[str, Path]) -> dict[str, Path]:
    """Image files less those that the data sets of a config label, validate or test on, and their masks.

    Raises:
        UserError: If none is left.
    """
    names = list(files)
    for part, key, config in part_configs(cfg):
        if part == inspection.UNLABELED:
            continue
        try:
            if unlabeled_folder.is_absent(config):
                raise FileNotFoundError('its folders are not there')
            names = unlabeled_folder.without_used({name: files[name] for name in names}, [config])
        except Exception as error:  # whatever a data set class raises where its data is not there
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f'{key} cannot be listed ({reason}): where its images are in the folder, they are ranked, too')
    if not names:
        raise UserError('all of the images are labelled, validated or tested on by the config')
    if len(names) < len(files):
        print(f'{len(files) - len(names)} files are left out: the config labels, validates or tests on them')
    return {name: files[name] for name in names}
