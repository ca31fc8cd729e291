"""Files with images and videos, and images as they are shown."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.m4v', '.webm', '.mpg', '.mpeg')


def is_video(path: Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def list_images(folder: str | Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[str]:
    """Paths of all images below a folder, relative to it, with ``/``, sorted.

    Suffixes are compared without regard to case; names that begin with a dot are not looked at; links are followed.
    """
    suffixes = tuple(suffix.lower() for suffix in suffixes)
    found = []
    visited = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in visited else [name for name in folders if not name.startswith('.')]
        if real in visited:  # a link back up
            continue
        visited.add(real)
        below = Path(parent).relative_to(folder)
        found += [(below / n).as_posix() for n in files if n.lower().endswith(suffixes) and not n.startswith('.')]
    return sorted(found)


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
        if path.stat().st_size == 0:
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
