"""Images and masks of two folders, paired by name whatever their suffixes."""

from collections.abc import Iterable
from pathlib import Path


def pairs_by_suffixes(
    images: Iterable[str], masks: Iterable[str], usual: tuple[str, str], are_together: bool = False
) -> dict[tuple[str, str], dict[str, str]]:
    """Mask by image, for each suffix of images and of masks that gives pairs; the usual suffixes come first.

    Args:
        images: Paths relative to their folder.
        masks: Paths relative to theirs.
        usual: Suffixes of images and masks, such as ``('_leftImg8bit.png', '_gtFine_labelTrainIds.png')``.
        are_together: Whether both are of one folder, so that a mask may be taken for an image.

    Example:
        >>> pairs_by_suffixes(['a.bmp', 'b.bmp'], ['a.png'], ('.jpg', '.png'))
        {('.bmp', '.png'): {'a.bmp': 'a.png'}}
    """
    images, masks = list(images), set(masks)
    mask_suffixes = dict.fromkeys((usual[1], *(Path(mask).suffix for mask in sorted(masks))))
    image_suffixes = dict.fromkeys(Path(image).suffix for image in images)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for pair in (usual, *((image, mask) for mask in mask_suffixes for image in image_suffixes)):
        is_reverse = are_together and (pair[0] == pair[1] or pair[::-1] in found)  # masks, taken for images
        named = {image: image.removesuffix(pair[0]) + pair[1] for image in images if image.endswith(pair[0])}
        pairs = {image: mask for image, mask in named.items() if mask in masks}
        if pairs and not is_reverse:
            found[pair] = pairs
    return found
