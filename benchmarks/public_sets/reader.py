"""What the public sets have in common: an image and a grey mask of the same name."""

import io
import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import ClassVar

import cv2
import numpy as np
from PIL import Image

from simeps_mmseg.datasets.preparation import DatasetReader
from simeps_mmseg.datasets.preparation.pairs import pair_by_name
from simeps_mmseg.datasets.preparation.reader import Item, check_pair, decode
from simeps_mmseg.datasets.preparation.source import Source

LONGER_SIDE = 512


class PublicReader(DatasetReader):
    """One defect class, test images drawn by the seed; a set says where it differs.

    Attributes:
        image: Pattern of the paths of the images, searched in the path; its group ``name`` is the name of the image.
        mask: Likewise of the masks.
        threshold: Grey values of a mask above it are defect.
    """

    classes = ('background', 'crack')
    suffix = '.png'
    test_fraction = 0.25
    image: ClassVar[re.Pattern]
    mask: ClassVar[re.Pattern]
    threshold: ClassVar[int] = 127

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def made_with(self) -> dict[str, int]:
        return dict(longer_side=LONGER_SIDE)

    def find(self) -> tuple[list[Item], list[str]]:
        images, masks = self.matching(self.image), self.matching(self.mask)
        problems = [f'no file fits {p.pattern}' for p, files in ((self.image, images), (self.mask, masks)) if not files]
        pairs, unpaired = pair_by_name(images, masks)
        return [Item(name, self.is_test(image), image, mask) for name, image, mask in pairs], problems + unpaired

    def matching(self, pattern: re.Pattern) -> dict[str, str]:
        """The first file of each name."""
        found: dict[str, str] = {}
        for file in self.source.files:
            if match := pattern.search(file):
                found.setdefault(match['name'], file)
        return found

    def is_test(self, image: str) -> bool:
        """Whether the set itself puts an image into its test set."""
        return False

    def load(self, item: Item) -> tuple[bytes, np.ndarray]:
        content = self.source.read(item.image)
        image = without_alpha(decode(content, item.image))
        mask = self.read_mask(item)
        check_pair(image, mask, item.image, item.mask)
        if max(mask.shape) <= LONGER_SIDE and item.image.endswith(self.suffix) and is_plain(content):
            return content, mask
        return encode_png(shrink(image, cv2.INTER_AREA)), shrink(mask, cv2.INTER_NEAREST_EXACT)

    def read_mask(self, item: Item) -> np.ndarray:
        """The label map of an item, shape (h, w), uint8."""
        grey = one_channel(decode(self.source.read(item.mask), item.mask), item.mask)
        return (grey > self.threshold).astype(np.uint8)


def shrink(array: np.ndarray, interpolation: int) -> np.ndarray:
    """An image or mask with its longer side cut down to :data:`LONGER_SIDE`; smaller ones as they are.

    Masks are reduced by their nearest pixel. Max-pooling would keep lines of one pixel whole, at the price of wider defects;
    of these sets only welds are larger than 512 pixels, and their defects are blobs.
    """
    height, width = array.shape[:2]
    scale = LONGER_SIDE / max(height, width)
    if scale >= 1:
        return array
    return cv2.resize(array, (round(width * scale), round(height * scale)), interpolation=interpolation)


def without_alpha(image: np.ndarray) -> np.ndarray:
    """Colours as OpenCV reads them: transparency is dropped, not blended."""
    return image[..., :3] if image.ndim == 3 and image.shape[2] == 4 else image


def one_channel(mask: np.ndarray, file: str) -> np.ndarray:
    """A mask that was saved as a colour image.

    Raises:
        ValueError: If it has colours.
    """
    if mask.ndim == 2:
        return mask.astype(np.uint8) * 255 if mask.dtype == bool else mask
    colours = mask[..., :3]
    if (colours != colours[..., :1]).any():
        raise ValueError(f'{file}: expected a grey mask, found colours')
    return colours[..., 0]


def is_plain(content: bytes) -> bool:
    """Whether an image file has no transparency and no palette."""
    return Image.open(io.BytesIO(content)).mode in ('L', 'RGB')


def encode_png(image: np.ndarray) -> bytes:
    """The content of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, 'PNG')
    return buffer.getvalue()


def stem(line: str) -> str:
    """The name of an image that a list names by its path."""
    return PurePosixPath(line.split()[0]).stem


def draw_groups(names: Iterable[str], group: Callable[[str], str], fraction: float, seed: int = 0) -> set[str]:
    """Names of whole groups, drawn until they hold the share of all names.

    Args:
        names: In any order.
        group: The group of a name, such as the photograph that a patch is cut from.
        fraction: Share of the names.
        seed: Of the generator.

    Example:
        >>> sorted(draw_groups(['a1', 'a2', 'b1', 'b2'], lambda name: name[0], 0.5)) in (['a1', 'a2'], ['b1', 'b2'])
        True
    """
    members: dict[str, list[str]] = {}
    for name in sorted(names):
        members.setdefault(group(name), []).append(name)
    total, groups, drawn = sum(map(len, members.values())), sorted(members), set()
    for index in np.random.default_rng(seed).permutation(len(groups)):
        if len(drawn) >= fraction * total:
            break
        drawn |= set(members[groups[index]])
    return drawn
