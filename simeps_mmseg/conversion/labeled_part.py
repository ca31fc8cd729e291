"""A labelled data set restricted to a list of names or to a folder."""

import inspect
from collections.abc import Sequence
from pathlib import Path

from mmseg.registry import DATASETS

from ..datasets.unlabeled_folder import leaf_configs, list_images
from ..utils import UserError
from .python_source import code

SUBFOLDERS = (('images', 'annotations'), ('images', 'masks'), ('images', 'labels'), ('img_dir', 'ann_dir'))


def restrictions(config: dict, sources: Sequence[str]) -> list[dict]:
    """What changes in each labelled data set.

    Raises:
        UserError: If there are not as many sources as data sets, or one is not what it has to be.
    """
    leaves = leaf_configs(config)
    if len(sources) != len(leaves):
        raise UserError(
            f'--labeled: the config concatenates {len(leaves)} labelled data set(s), so give {len(leaves)} lists or '
            f'folders, in their order; got {len(sources)}'
        )
    return [restriction(leaf, Path(source)) for leaf, source in zip(leaves, sources)]


def restriction(leaf: dict, source: Path) -> dict:
    """Options of a data set that restrict it to a list of names or to a folder.

    A folder is, whichever fits first: another root with the same folders below it; a part of the config's image folder,
    whose masks are in the same part of its mask folder; a folder with ``images`` and ``annotations`` (``masks``,
    ``labels``; ``img_dir`` and ``ann_dir``); or a folder of images with their masks beside them.

    Raises:
        UserError: If it is none of these.
    """
    root = Path(leaf.get('data_root') or '')
    if source.is_file():
        return dict(ann_file=_below(source, root))
    if not source.is_dir():
        raise UserError(f'--labeled {source} is neither a list of names nor a folder')
    prefix = leaf.get('data_prefix') or {}
    images, masks = (prefix.get(key) or '' for key in ('img_path', 'seg_map_path'))
    if images and masks and (source / images).is_dir() and (source / masks).is_dir():
        return _whole_folder(leaf, source, source / images, source / masks, data_root=source.as_posix())
    try:
        part = source.resolve().relative_to((root / images).resolve())
        if (root / masks / part).is_dir() and part.parts:
            own = dict(img_path=(Path(images) / part).as_posix(), seg_map_path=(Path(masks) / part).as_posix())
            return _whole_folder(leaf, source, root / images / part, root / masks / part, data_prefix=own)
    except ValueError:
        pass  # elsewhere
    for own_images, own_masks in SUBFOLDERS:
        if (source / own_images).is_dir() and (source / own_masks).is_dir():
            own = dict(img_path=own_images, seg_map_path=own_masks)
            found = (source / own_images, source / own_masks)
            return _whole_folder(leaf, source, *found, data_root=source.as_posix(), data_prefix=own)
    if list_images(source):
        own = dict(img_path='', seg_map_path='')
        return _whole_folder(leaf, source, source, source, data_root=source.as_posix(), data_prefix=own)
    raise UserError(
        f'--labeled {source}: no images found. It may hold {images or "images"} and {masks or "annotations"}, be a part of '
        f'{root / images}, or hold images with their masks beside them'
    )


def _below(path: Path, root: Path) -> str:
    """A path as ``ann_file`` has it: relative to the root where it is below it, else absolute."""
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _whole_folder(leaf: dict, source: Path, images: Path, masks: Path, **changes: object) -> dict:
    """Take all pairs of a folder, by the suffixes that are there.

    Raises:
        UserError: If not one image has a mask.
    """
    if leaf.get('ann_file'):
        changes['ann_file'] = ''
    known = inspect.signature(DATASETS.get(leaf['type']).__init__).parameters
    own = [leaf.get(key) or getattr(known.get(key), 'default', None) for key in ('img_suffix', 'seg_map_suffix')]
    own = [value if isinstance(value, str) else default for value, default in zip(own, ('.jpg', '.png'))]
    names, mask_names = list_images(images), set(list_images(masks))
    pairs = [tuple(own)]
    for image_suffix in dict.fromkeys(Path(name).suffix for name in names):
        pairs += [
            (image_suffix, suffix) for suffix in dict.fromkeys((own[1], *(Path(n).suffix for n in sorted(mask_names))))
        ]
    for image_suffix, mask_suffix in pairs:
        stems = [name.removesuffix(image_suffix) for name in names if name.endswith(image_suffix)]
        if image_suffix == mask_suffix and images == masks:
            continue
        if any(stem + mask_suffix in mask_names for stem in stems):
            if image_suffix != own[0]:
                changes['img_suffix'] = image_suffix
            if mask_suffix != own[1]:
                changes['seg_map_suffix'] = mask_suffix
            return changes
    raise UserError(
        f'--labeled {source}: no image in {images} has a mask in {masks}; looked for names with {own[0]} and {own[1]}, and '
        'for other suffixes of the same names'
    )


def restricted(source: str, config: dict, changes) -> str:
    """Expression of a data set, wrapped or not, with the options of each inner one changed."""
    if 'datasets' in config:
        inner = [
            restricted(f'{source}.datasets[{index}]', part, changes) for index, part in enumerate(config['datasets'])
        ]
        return f'dict({source}, datasets=[{", ".join(inner)}])'
    if 'dataset' in config:
        return f'dict({source}, dataset={restricted(f"{source}.dataset", config["dataset"], changes)})'
    options = ', '.join(f'{key}={code(value)}' for key, value in next(changes).items())
    return f'dict({source}, {options})'
