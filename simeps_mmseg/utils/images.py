"""Files with images and videos, and images as they are shown."""

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.logging import print_log
from PIL import Image, UnidentifiedImageError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.m4v', '.webm', '.mpg', '.mpeg')


def is_video(path: Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def list_images(folder: str | Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[str]:
    """Paths of all images below a folder, see :func:`walk_images`, as a list."""
    return list(walk_images(folder, suffixes))


def walk_images(folder: str | Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> Iterator[str]:
    """Paths of all images below a folder, relative to it, with ``/``, sorted, one by one.

    Suffixes are compared without regard to case; names that begin with a dot are not looked at; links are followed. Folders
    that cannot be read are warned of.
    """
    return _walk(os.fspath(folder), '', tuple(suffix.lower() for suffix in suffixes), set())


def _walk(place: str, prefix: str, suffixes: tuple[str, ...], visited: set[str]) -> Iterator[str]:
    real = os.path.realpath(place)
    if real in visited:  # a link back up
        return
    visited.add(real)
    try:
        with os.scandir(place) as entries:
            names = [name for entry in entries if (name := _name_if_wanted(entry, suffixes))]
    except OSError as error:
        print_log(f'{place} cannot be read ({error.strerror}): no image of it is taken', 'current', logging.WARNING)
        return
    # With its slash a folder stands where the sorted paths below it do.
    for name in sorted(names):
        if name.endswith('/'):
            yield from _walk(os.path.join(place, name[:-1]), prefix + name, suffixes, visited)
        else:
            yield prefix + name


def _name_if_wanted(entry: os.DirEntry[str], suffixes: tuple[str, ...]) -> str:
    """The name of an image, of a folder with a slash behind it, or nothing."""
    name = entry.name
    if name.startswith('.'):
        return ''
    try:
        if entry.is_dir():
            return f'{name}/'
    except OSError:
        pass
    return name if name.lower().endswith(suffixes) else ''


EXIF_ORIENTATION = 0x0112  # the tag

# What readers of images, and networks that are handed what they read, raise: one or another of them.
IMAGE_ERRORS = (
    OSError,
    SyntaxError,
    EOFError,
    AssertionError,
    ValueError,
    RuntimeError,
    MemoryError,
    cv2.error,
    Image.DecompressionBombError,
)


class UnreadableImage(OSError):
    """A file that is no image or video, or not all of one. The message has one line."""

    def __init__(self, reason: object) -> None:
        super().__init__(next(iter(str(reason).strip().splitlines()), 'cannot be decoded'))


class ImageHeader(NamedTuple):
    """What a file says of its image before any pixel is decoded.

    Attributes:
        size: Height and width, as stored.
        pages: Pages or frames; readers give the first.
        orientation: The EXIF value, 1 to 8. 1 is upright; 2 to 4 are mirrored or turned by 180 degrees within the same size.
    """

    size: tuple[int, int]
    pages: int = 1
    orientation: int = 1


def read_header(path: str | Path) -> ImageHeader | None:
    """Size, pages and orientation of an image of any size; None where Pillow cannot tell."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # nothing is decoded here
    try:
        with Image.open(path) as image:
            # The second picture of a camera's MPO file is a preview or a map of depths.
            pages = 1 if image.format == 'MPO' else getattr(image, 'n_frames', 1)
            return ImageHeader(image.size[::-1], pages, image.getexif().get(EXIF_ORIENTATION, 1))
    except IMAGE_ERRORS:
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def is_empty(path: Path) -> bool:
    """Whether a file is there and holds nothing."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def check_is_file(path: str | Path) -> None:
    """Raise ``UnreadableImage`` unless a path leads to an ordinary file: whoever opens a named pipe waits for ever."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: 'named pipe', stat.S_IFDIR: 'folder', stat.S_IFSOCK: 'socket'}
        raise UnreadableImage(f'a {kinds.get(stat.S_IFMT(mode), "device")}, no file')


def check_image_is_whole(path: Path) -> None:
    """Decode an image once to see that nothing is missing: ``cv2`` fills what a cut-off file lacks with grey.

    Formats that Pillow does not know pass, and images of more pixels than it takes (179 million): the reader of the config
    may know them.

    Raises:
        UnreadableImage: If the file cannot be read or decoded to its end.
    """
    try:
        check_is_file(path)
        with Image.open(path) as image:
            image.load()
    except UnidentifiedImageError:
        if is_empty(path):
            raise UnreadableImage('the file is empty') from None
    except Image.DecompressionBombError:
        pass
    except UnreadableImage:
        raise
    except IMAGE_ERRORS as error:
        raise UnreadableImage(error) from error


def displayed(image: np.ndarray) -> np.ndarray:
    """An image of a loader, (h, w) or (h, w, c) in blue, green, red, as RGB (h, w, 3) uint8; other types are stretched."""
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (255 * (image - low) / (high - low if high > low else 1)).round().astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[:, :, 2::-1])
