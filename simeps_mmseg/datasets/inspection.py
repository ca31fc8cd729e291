"""What can be wrong with images and masks: pure functions on arrays, and on what was seen in many of them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LABELED, UNLABELED, VALIDATION, TEST = 'labelled', 'unlabelled', 'validation', 'test'
TRAINED_ON = (LABELED, UNLABELED)
ORDINARY_IMAGES = ('LoadImageFromFile', 'LoadImageAsUint8')  # transforms whose files OpenCV makes 8 bits of


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


# -- one image, one mask ---------------------------------------------------------------------------------------------


def is_grey(image: NDArray) -> bool:
    """Whether all channels of an image (h, w) or (h, w, c) are the same.

    Example:
        >>> is_grey(np.ones((2, 2, 3))), is_grey(np.arange(12).reshape(2, 2, 3))
        (True, False)
    """
    return image.ndim == 2 or bool((image == image[..., :1]).all())


def pixel_digest(image: NDArray) -> bytes:
    """Identifies the content of an image (h, w, c): the same for equal pixels in any file format, grey or grey as RGB."""
    pixels = np.ascontiguousarray(image[..., 0] if image.ndim == 3 and is_grey(image) else image)
    return hashlib.blake2b(pixels, digest_size=16, salt=str(pixels.shape).encode()[:16]).digest()


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


# -- all of them together --------------------------------------------------------------------------------------------


def set_problems(reports: Sequence[FileReport], classes: Sequence[str]) -> list[Problem]:
    """What is wrong with the files taken together; ``classes`` are the names."""
    return [
        *binary_mask_problems(reports),
        *shared_image_problems(reports),
        *absent_class_problems(reports, classes),
        *mixed_color_problems(reports),
    ]


def binary_mask_problems(reports: Iterable[FileReport]) -> Iterator[Problem]:
    """Masks that hold 0 and 255 alone: the 255 is meant as a class, but is ignored.

    A part where most masks with 255 have it beside other values uses it on purpose, and nothing is reported of it. Where
    only some have, that cannot be told: warnings.
    """
    with_255: dict[str, list[FileReport]] = defaultdict(list)
    for report in reports:
        if len(report.values) > 1 and report.classes.get(255):  # else it is reported as a value outside the classes
            with_255[report.part].append(report)
    for of_part in with_255.values():
        alone = [report for report in of_part if report.values.keys() == {0, 255}]
        if 2 * len(alone) <= len(of_part):
            continue
        for report in alone:
            share = report.values[255] / sum(report.values.values())
            yield Problem(
                '0/255 mask',
                report.part,
                report.mask,
                'class indices (0, 1, ...)',
                f'0 and 255 alone; 255 means ignore, so {share:.1%} of the pixels would teach nothing: '
                'write 1 (or the index of the class) in place of 255',
                len(alone) == len(of_part),
            )


def shared_image_problems(reports: Iterable[FileReport]) -> Iterator[Problem]:
    """Images with the same pixels in two parts.

    An error where an image is trained on and scored; else a warning. Validation and test sets that are one and the same
    are one warning.
    """
    files: dict[bytes, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for report in reports:
        if report.digest is not None:
            files[report.digest][report.part].append(report.image)
    scored = {part: {digest for digest, by_part in files.items() if part in by_part} for part in (VALIDATION, TEST)}
    same = bool(scored[TEST]) and scored[VALIDATION] == scored[TEST]
    if same:
        some = next(files[digest] for digest in scored[TEST])
        yield same_evaluation_problem(len(scored[TEST]), some[TEST][0])
    for by_part in files.values():
        yield from shared_file_problems(by_part, same)


def same_evaluation_problem(count: int, file: str) -> Problem:
    """Validation and test are one."""
    found = f'all {count} images also in validation: the best checkpoint is chosen by what it is scored on'
    return Problem('validation is test', TEST, file, 'images of its own', found, False)


def shared_file_problems(by_part: Mapping[str, Sequence[str]], validation_is_test: bool = False) -> Iterator[Problem]:
    """One image that is in several parts, as part to its paths there: a problem for each path that is to go."""
    scored = [part for part in (VALIDATION, TEST) if part in by_part]
    if validation_is_test:
        scored = scored[:1]
    parts = [part for part in TRAINED_ON if part in by_part] + scored
    for index, part in enumerate(parts):
        for other in parts[:index]:
            leak = other in TRAINED_ON and part not in TRAINED_ON
            kind = f'{other} and {part}'
            for path in dict.fromkeys(by_part[part]):
                yield Problem(
                    f'same image: {kind}', part, path, f'no image of the {other} part', by_part[other][0], leak
                )


def absent_class_problems(reports: Iterable[FileReport], classes: Sequence[str]) -> Iterator[Problem]:
    """Classes that no labelled pixel shows: a warning."""
    masks = 0
    seen: set[int] = set()
    for report in reports:
        if report.part == LABELED and report.classes:
            masks += 1
            seen |= report.classes.keys()
    for index, name in enumerate(classes if masks else ()):
        if index not in seen:
            expected = f'pixels of class {index} ({name})'
            yield Problem('class absent', LABELED, f'{masks} masks', expected, 'none: it cannot be learnt', False)


def mixed_color_problems(reports: Sequence[FileReport]) -> Iterator[Problem]:
    """Images that are grey where most labelled ones are in colour, or the other way round: a warning each."""
    read = [report for report in reports if report.digest is not None]
    labeled = [report.grey for report in read if report.part == LABELED]
    reference, of = (labeled, f'{LABELED} images') if labeled else ([report.grey for report in read], 'images')
    if len({report.grey for report in read}) < 2:
        return
    grey = 2 * sum(reference) >= len(reference)
    like = f'{"grey" if grey else "colour"}, as {sum(g == grey for g in reference)} of {len(reference)} {of}'
    for report in read:
        if report.grey != grey:
            found = 'grey' if report.grey else 'colour'
            yield Problem('grey and colour mixed', report.part, report.image, like, found, False)
