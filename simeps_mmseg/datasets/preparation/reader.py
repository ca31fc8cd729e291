"""What each data set has to say about its download."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from PIL import Image

from ...utils import UserError
from ...utils.images import IMAGE_ERRORS


class PreparationError(UserError):
    """Everything that is wrong with a download, one line per file or fact."""

    def __init__(self, problems: Iterable[str], next_step: str) -> None:
        self.problems = list(problems)
        listed = '\n'.join(f'  - {problem}' for problem in self.problems)
        super().__init__(f'{len(self.problems)} problem(s), nothing was written:\n{listed}\n{next_step}')


@dataclass(frozen=True)
class Item:
    """One image of a data set.

    Attributes:
        name: Path without suffix below ``images/`` and ``annotations/``; the line in the split files.
        test: Whether it belongs to the test set that the data set itself defines.
        image: Where the reader finds the image.
        mask: Where the reader finds the mask, or None where there is no defect.
    """

    name: str
    test: bool
    image: str
    mask: str | None

    @property
    def drawn_mask(self) -> str:
        """Where the reader finds the mask of a data set in which every image has one."""
        if self.mask is None:
            raise ValueError(f'{self.image} has no mask')
        return self.mask


@dataclass(frozen=True)
class Facts:
    """What is known of the complete download.

    Attributes:
        train: Number of training images.
        test: Number of test images.
        images_with_class: Number of training images in which each class is present.
        without_defect: Number of images without any defect.
        size: Height and width of every image.
    """

    train: int
    test: int
    images_with_class: Mapping[str, int] = field(default_factory=dict)
    without_defect: int | None = None
    size: tuple[int, int] | None = None


class DatasetReader(ABC):
    """Finds the images of a download and turns its masks into label maps.

    Attributes:
        folder: Name of the folder below ``data/``.
        classes: Names of the classes, background first.
        suffix: Suffix of the images.
        facts: What the complete download holds.
        only_defective: Whether splits are drawn from the images with a defect only.
        test_fraction: Share of the images that becomes the test set where the data set defines none.
        download: What to get, for messages.
    """

    folder: ClassVar[str]
    classes: ClassVar[tuple[str, ...]]
    suffix: ClassVar[str]
    facts: Facts | None = None
    only_defective: ClassVar[bool] = False
    test_fraction: ClassVar[float] = 0.0
    download: ClassVar[str]

    @property
    def made_with(self) -> dict[str, int]:
        """What decides how the images look, beside the download: empty where they come as they are."""
        return {}

    @abstractmethod
    def find(self) -> tuple[list[Item], list[str]]:
        """All images, and the problems with the layout."""

    @abstractmethod
    def load(self, item: Item) -> tuple[bytes, np.ndarray]:
        """The image file as it is to be written, and its label map, shape (h, w), uint8.

        Raises:
            ValueError: If image or mask cannot be used; says which and why.
        """


def decode(content: bytes, file: str) -> np.ndarray:
    """Pixels of an image file, shape (h, w) or (h, w, c).

    Raises:
        ValueError: If the file is empty, cut off or no image.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return np.asarray(image)
    except IMAGE_ERRORS as error:
        raise ValueError(f'{file}: not a readable image ({error or "empty"})') from error


def check_pair(image: np.ndarray, mask: np.ndarray, image_file: str, mask_file: str) -> None:
    """Raise ``ValueError`` unless mask and image have the same size and the mask has one channel."""
    if mask.ndim != 2:
        raise ValueError(f'{mask_file}: expected a mask with one channel, found shape {mask.shape}')
    if mask.shape != image.shape[:2]:
        found, expected = 'x'.join(map(str, mask.shape)), 'x'.join(map(str, image.shape[:2]))
        raise ValueError(f'{mask_file}: the mask is {found} (height x width), its image {image_file} is {expected}')


def check_size(mask: np.ndarray, facts: Facts | None, file: str) -> None:
    """Raise ``ValueError`` unless an image has the size that all images of the data set have."""
    if facts is not None and facts.size is not None and mask.shape != facts.size:
        found, expected = 'x'.join(map(str, mask.shape)), 'x'.join(map(str, facts.size))
        raise ValueError(f'{file}: the image is {found} (height x width), expected {expected}')


def check_values(mask: np.ndarray, num_classes: int, file: str) -> None:
    """Raise ``ValueError`` if a mask holds a value that is no class."""
    unknown = [int(value) for value in np.unique(mask) if value >= num_classes]
    if unknown:
        raise ValueError(f'{file}: the mask holds {unknown[:8]}, expected values from 0 to {num_classes - 1}')
