"""A labelled data set restricted to a list of names or to a folder."""

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmseg.registry import DATASETS

from ..utils import UserError
from ..utils.config_tree import leaf_configs
from ..utils.images import list_images
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
        if (root / masks / part).is_dir():
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
        UserError: If not one image has a mask, or if images of another suffix have one, too: a data set takes one suffix.
    """
    listed = leaf.get('ann_file')
    if listed and 'data_root' in changes and 'data_prefix' not in changes and (source / listed).is_file():
        return changes  # another root with the same folders and the same list
    if listed:
        changes['ann_file'] = ''
    known = inspect.signature(DATASETS.get(leaf['type']).__init__).parameters
    own = [leaf.get(key) or getattr(known.get(key), 'default', None) for key in ('img_suffix', 'seg_map_suffix')]
    own = [value if isinstance(value, str) else default for value, default in zip(own, ('.jpg', '.png'))]
    names, mask_names = list_images(images), set(list_images(masks))
    mask_suffixes = dict.fromkeys((own[1], *(Path(name).suffix for name in sorted(mask_names))))
    image_suffixes = dict.fromkeys(Path(name).suffix for name in names)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for pair in [tuple(own), *((image, mask) for mask in mask_suffixes for image in image_suffixes)]:
        is_reverse = images == masks and (pair[0] == pair[1] or pair[::-1] in found)  # masks, taken for images
        if not is_reverse and (pairs := _pairs(names, mask_names, *pair)):
            found[pair] = pairs
    if not found:
        raise UserError(
            f'--labeled {source}: no image in {images} has a mask in {masks}; looked for names with {own[0]} and {own[1]}, '
            'and for other suffixes of the same names'
        )
    (suffixes, used), *others = found.items()
    left = {image for _, pairs in others for image in pairs} - used.keys()
    if left:
        image, mask = next(iter(used.items()))
        raise UserError(
            f'--labeled {source}: {len(used)} pairs such as {image} and {mask}, but {len(left)} with other suffixes, such as '
            f'{min(left)}, and a data set takes one; convert the files to one suffix, or move each kind to a folder of its '
            'own and concatenate the two data sets in the supervised config'
        )
    for key, suffix, default in zip(('img_suffix', 'seg_map_suffix'), suffixes, own):
        if suffix != default:
            changes[key] = suffix
    return changes


def _pairs(names: Sequence[str], mask_names: set[str], image_suffix: str, mask_suffix: str) -> dict[str, str]:
    """Masks by image, of the images with one suffix that have a mask with the other."""
    masks = {name: name.removesuffix(image_suffix) + mask_suffix for name in names if name.endswith(image_suffix)}
    return {name: mask for name, mask in masks.items() if mask in mask_names}


def restricted(source: str, config: dict, changes: Iterator[dict]) -> str:
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
