"""What can be wrong with images and masks: pure functions on arrays."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...utils.images import ImageHeader

LABELED, UNLABELED, VALIDATION, TEST = 'labelled', 'unlabelled', 'validation', 'test'
TRAINED_ON = (LABELED, UNLABELED)
ORDINARY_IMAGES = ('LoadImageFromFile', 'LoadImageAsUint8')  # transforms whose files OpenCV makes 8 bits of

FEW_TONES = 16  # grey values, of which a photograph has more and a mask has not
BYTES_PER_PIXEL = 16  # three of the image, twelve of it as floats, one of the mask
MANY_PIXELS = 100_000_000
# What readers do by the EXIF orientation of a file.
TURNED = {
    2: 'mirrored',
    3: 'turned by 180 degrees',
    4: 'turned upside down',
    5: 'mirrored and turned by 90 degrees',
    6: 'turned by 90 degrees',
    7: 'mirrored and turned by 90 degrees',
    8: 'turned by 90 degrees',
}


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: What it is, in a few words; the same for all problems of a kind.
        part: ``labelled``, ``unlabelled``, ``validation`` or ``test``.
        file: The file or config key.
        expected: What should be there.
        found: What is there.
        is_error: Whether training or scores are wrong because of it; else it is a warning.
    """

    kind: str
    part: str
    file: str
    expected: str
    found: str
    is_error: bool = True

    def __str__(self) -> str:
        return f'{self.file} ({self.part}): expected {self.expected}, found {self.found}'


@dataclass(frozen=True)
class LabelRules:
    """How the raw values of a mask become classes, as ``LoadAnnotations`` does it.

    Attributes:
        num_classes: Classes are 0 to ``num_classes - 1``.
        ignore_index: Pixels of this class do not count.
        reduce_zero_label: Whether 0 is ignored and everything else moves down by one.
        label_map: Then: new class for each old one, or None.
    """

    num_classes: int
    ignore_index: int = 255
    reduce_zero_label: bool = False
    label_map: Mapping[int, int] | None = None

    def label(self, value: int) -> int | None:
        """Class or ``ignore_index`` of a raw value; None where it is neither.

        Example:
            >>> rules = LabelRules(num_classes=3, reduce_zero_label=True)
            >>> [rules.label(value) for value in (0, 1, 3, 4, 255)]
            [255, 0, 2, None, 255]
        """
        if not 0 <= value <= 255:  # LoadAnnotations keeps the lower eight bits
            return None
        if self.reduce_zero_label:
            value = 255 if value in (0, 255) else value - 1
        if self.label_map is not None and value != self.ignore_index:
            if value not in self.label_map:
                return 255 if value == 255 == self.ignore_index else None
            value = self.label_map[value]
            if value == 255:  # how mmseg marks a class that is left out
                return self.ignore_index
        return value if 0 <= value < self.num_classes or value == self.ignore_index else None

    def allowed(self) -> str:
        """The raw values that mean something, such as ``0 to 3, 255``."""
        values = [value for value in range(256) if self.label(value) is not None]
        runs: list[list[int]] = []
        for value in values:
            if runs and value == runs[-1][1] + 1:
                runs[-1][1] = value
            else:
                runs.append([value, value])
        return 'values ' + ', '.join(str(low) if low == high else f'{low} to {high}' for low, high in runs)


@dataclass
class FileReport:
    """What was seen in one image and its mask.

    Attributes:
        part: Which part of the data it belongs to.
        image: Path of the image.
        mask: Path of the mask, or None where there is none to look at.
        digest: Identifies the pixels; None where the image could not be read.
        grey: Whether all channels are equal.
        size: Height and width.
        values: Pixels for each raw value of the mask.
        classes: Pixels for each class, ``ignore_index`` among them.
        problems: What is wrong with these two files alone.
        tones: The values of a grey 8-bit image that has at most :data:`FEW_TONES` of them; else empty.
    """

    part: str
    image: str
    mask: str | None = None
    digest: bytes | None = None
    grey: bool = True
    size: tuple[int, int] = (0, 0)
    values: dict[int, int] = field(default_factory=dict)
    classes: dict[int, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    tones: tuple[int, ...] = ()


def is_grey(image: NDArray) -> bool:
    """Whether all channels of an image (h, w) or (h, w, c) are the same.

    Example:
        >>> is_grey(np.ones((2, 2, 3))), is_grey(np.arange(12).reshape(2, 2, 3))
        (True, False)
    """
    return image.ndim == 2 or bool((image == image[..., :1]).all())


def few_tones(image: NDArray) -> tuple[int, ...]:
    """The values of an 8-bit image (h, w) or (h, w, c), in order, if it is grey and has at most :data:`FEW_TONES`.

    Example:
        >>> few_tones(np.array([[0, 1], [255, 1]], np.uint8)), few_tones(np.arange(256).astype(np.uint8)[None])
        ((0, 1, 255), ())
    """
    if image.dtype != np.uint8 or not is_grey(image):
        return ()
    counts = np.bincount((image if image.ndim == 2 else image[..., 0]).ravel(), minlength=256)
    tones = np.flatnonzero(counts)
    return tuple(tones.tolist()) if len(tones) <= FEW_TONES else ()


def pixel_digest(image: NDArray) -> bytes:
    """Identifies the content of an image (h, w, c): the same for equal pixels in any file format, grey or grey as RGB."""
    pixels = np.ascontiguousarray(image[..., 0] if image.ndim == 3 and is_grey(image) else image)
    return hashlib.blake2b(pixels.data, digest_size=16, salt=str(pixels.shape).encode()[:16]).digest()


def count_values(mask: NDArray) -> dict[int, int]:
    """Pixels for each value of a mask of integers."""
    values, counts = np.unique(mask, return_counts=True)
    return {int(value): int(count) for value, count in zip(values, counts)}


def size_problem(image_size: tuple[int, int], mask_size: tuple[int, ...]) -> tuple[str, str] | None:
    """Expected and found, where the mask (h, w) has not the size of its image."""
    if tuple(mask_size) == tuple(image_size):
        return None
    expected = f'{image_size[0]} x {image_size[1]} (height x width), as its image'
    if len(mask_size) != 2:
        return expected, f'shape {tuple(mask_size)}: a mask has one channel'
    turned = ' (turned: has the image an EXIF orientation?)' if mask_size == image_size[::-1] else ''
    return expected, f'{mask_size[0]} x {mask_size[1]}{turned}'


def count_classes(values: Mapping[int, int], rules: LabelRules) -> tuple[dict[int, int], dict[int, int]]:
    """Pixels for each class (``ignore_index`` among them), and pixels for each raw value that is no class."""
    classes: dict[int, int] = defaultdict(int)
    unknown = {}
    for value, count in values.items():
        label = rules.label(value)
        if label is None:
            unknown[value] = count
        else:
            classes[label] += count
    return dict(classes), unknown


def is_ordinary(step: Mapping) -> bool:
    """Whether a step that loads images has OpenCV make 8 bits of them, so that OpenCV can tell how deep a file is.

    Example:
        >>> is_ordinary(dict(type='LoadImageFromFile')), is_ordinary(dict(type='LoadImageFromFile', imdecode_backend='pillow'))
        (True, False)
    """
    known = str(step.get('type')).split('.')[-1] in ORDINARY_IMAGES
    return known and step.get('imdecode_backend', 'cv2') == 'cv2' and step.get('color_type') != 'unchanged'


def depth_problem(image: NDArray, bit_depth: int | None, percentiles: Sequence[float] | None) -> tuple[str, str] | None:
    """Expected and found, where 16-bit pixels use so few of their bits that they come out nearly black."""
    if image.dtype != np.uint16 or bit_depth is not None or percentiles is not None or not image.any():
        return None
    peak = int(image.max())
    if peak >= 2**13:
        return None
    bits = max(9, peak.bit_length())
    return (
        '16-bit pixels that use their range',
        f'values up to {peak}, nearly black in 8 bits: set bit_depth={bits} or percentiles=(1, 99) of LoadImageAsUint8',
    )


def header_problems(
    header: ImageHeader | None, has_mask: bool, memory: int | None = None
) -> Iterator[tuple[str, str, str, bool]]:
    """What can be told of an image before its pixels are decoded.

    Args:
        header: Of the file; None where it is not known.
        has_mask: Whether a mask is laid over it.
        memory: Bytes that the process may have, if that is known.

    Yields:
        Kind, expected, found, and whether it is an error.
    """
    if header is None:
        return
    height, width = header.size
    needed, found = height * width * BYTES_PER_PIXEL, f'{height} x {width} (height x width)'
    if memory is not None and needed > memory / 2:
        expected = f'an image that takes at most half of the {memory / 2**30:.1f} GiB of memory'
        yield (
            'too large for the memory',
            expected,
            f'{found}, {needed / 2**30:.1f} GiB with its mask: cut it into tiles',
            True,
        )
    elif height * width > MANY_PIXELS:
        expected = f'at most {MANY_PIXELS // 10**6} million pixels'
        found = f'{found}, which takes {needed / 2**30:.1f} GiB each time it is read: cut it into tiles'
        yield 'very large image', expected, found, False
    if header.pages > 1:
        yield (
            'several pages',
            'one image in a file',
            f'{header.pages} pages or frames, of which the first is used',
            False,
        )
    if has_mask and header.orientation in TURNED:
        found = f'{TURNED[header.orientation]} when it is read (EXIF orientation {header.orientation}); its mask is not'
        yield 'turned image', 'an upright image, as its mask', found, False
