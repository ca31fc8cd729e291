"""A labelled data set restricted to a list of names or to a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..utils import UserError
from ..utils.config_tree import leaf_configs, mapped_leaves
from ..utils.images import list_images
from .defaults import class_of, default_argument
from .pairs import pairs_by_suffixes

# Folders of images and masks in one folder; the last: masks beside the images.
SUBFOLDERS = (('images', 'annotations'), ('images', 'masks'), ('images', 'labels'), ('img_dir', 'ann_dir'), ('', ''))
PREFIXES = ('img_path', 'seg_map_path')
SUFFIXES = dict(img_suffix='.jpg', seg_map_suffix='.png')  # those of MMSegmentation


def restricted(config: dict, sources: Sequence[str], key: str) -> dict:
    """A data set, wrapped or not, of which each inner one is restricted to a list of names or to a folder.

    Args:
        config: Of the data set.
        sources: A list or folder for each data set inside wrappers.
        key: The config key or option that names the sources, for messages.

    Raises:
        UserError: If there are not as many sources as data sets, or one is not what it has to be.
    """
    count = len(leaf_configs(config))
    if len(sources) != count:
        raise UserError(
            f'{key}: the config concatenates {count} labelled data set(s), so give {count} lists or folders, in their '
            f'order; got {len(sources)}'
        )
    remaining = iter(sources)
    return mapped_leaves(config, lambda leaf: {**leaf, **restriction(leaf, Path(next(remaining)), key)})


def restriction(leaf: dict, source: Path, key: str) -> dict:
    """Options of a data set (not a wrapper) that restrict it to a list of names or to a folder.

    Raises:
        UserError: If the folder has none of the layouts, or its images have several suffixes.
    """
    root, listed = Path(leaf.get('data_root') or ''), leaf.get('ann_file')
    if source.is_file():
        path, folder = source.resolve(), root.resolve()
        return dict(ann_file=(path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix())
    if not source.is_dir():
        raise UserError(f'{key} {source} is neither a list of names nor a folder of images with their masks')
    for images, masks, options in layouts(leaf, source):
        if masks.is_dir() and (names := list_images(images)):
            if listed and options.keys() == {'data_root'} and (source / listed).is_file():
                return options  # another root with the same folders and the same list
            own = suffixes(leaf, images, masks, names, f'{key} {source}')
            return {**options, **(dict(ann_file='') if listed else {}), **own}
    own_images, own_masks = (
        (leaf.get('data_prefix') or {}).get(key) or name for key, name in zip(PREFIXES, SUBFOLDERS[0])
    )
    raise UserError(
        f'{key} {source}: no images found. It may hold {own_images} and {own_masks}, be a part of {root / own_images}, '
        'or hold images with their masks beside them'
    )


def layouts(leaf: dict, source: Path) -> Iterator[tuple[Path, Path, dict]]:
    """Where the images and masks of a folder may be, and the options that say so; the likeliest first.

    It is another root with the folders of the data set below it; a part of the data set's image folder, whose masks are in the
    same part of its mask folder; or a folder with ``SUBFOLDERS``.
    """
    root = Path(leaf.get('data_root') or '')
    images, masks = ((leaf.get('data_prefix') or {}).get(key) or '' for key in PREFIXES)
    if images and masks and not any(Path(folder).is_absolute() for folder in (images, masks)):
        yield source / images, source / masks, dict(data_root=source.as_posix())
    if source.resolve().is_relative_to((root / images).resolve()):
        part = source.resolve().relative_to((root / images).resolve())
        own = [(Path(folder) / part).as_posix() for folder in (images, masks)]
        yield root / own[0], root / own[1], dict(data_prefix=dict(zip(PREFIXES, own)))
    for pair in SUBFOLDERS:
        yield (
            source / pair[0],
            source / pair[1],
            dict(data_root=source.as_posix(), data_prefix=dict(zip(PREFIXES, pair))),
        )


def suffixes(leaf: dict, images: Path, masks: Path, names: Sequence[str], source: str) -> dict:
    """Suffixes of the pairs in a folder, where they are not those of the data set.

    Raises:
        UserError: If no image has a mask, if one lacks it, or if images of another suffix have one, too: a data set takes one
            suffix.
    """
    known = {key: leaf.get(key) or default_argument(class_of(leaf), key) for key in SUFFIXES}
    image_suffix, mask_suffix = (value if isinstance(value, str) else SUFFIXES[key] for key, value in known.items())
    usual = image_suffix, mask_suffix
    found = pairs_by_suffixes(names, list_images(masks), usual, are_together=images == masks)
    if not found:
        raise UserError(
            f'{source}: no image in {images} has a mask in {masks}; looked for names with {usual[0]} and '
            f'{usual[1]}, and for other suffixes of the same names'
        )
    (own, pairs), *others = found.items()
    if left := {image for _, other in others for image in other} - pairs.keys():
        image, mask = next(iter(pairs.items()))
        raise UserError(
            f'{source}: {len(pairs)} pairs such as {image} and {mask}, but {len(left)} with other suffixes, such '
            f'as {min(left)}, and a data set takes one; convert the files to one suffix, or move each kind to a folder of '
            'its own and concatenate the two data sets in the supervised config'
        )
    if without := [image for image in names if image.endswith(own[0]) and image not in pairs]:
        raise UserError(
            f'{source}: {len(without)} of {len(pairs) + len(without)} images in {images} have no mask in {masks}, such as '
            f'{min(without)}, and a folder is taken whole; move them to the unlabelled ones, or, where the images are those '
            'of the config, give a list of the names that have one'
        )
    return {key: suffix for key, suffix, other in zip(SUFFIXES, own, usual) if suffix != other}
