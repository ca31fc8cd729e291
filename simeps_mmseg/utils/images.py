"""Files with images and videos, and images as they are shown."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.m4v', '.webm', '.mpg', '.mpeg')


def is_video(path: Path) -> bool:
    """Whether a file's suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def image_files(folder: Path, videos: bool = False) -> list[Path]:
    """All images, and if wanted videos, below a folder, in the order of their paths; hidden files are passed over."""
    suffixes = IMAGE_SUFFIXES + (VIDEO_SUFFIXES if videos else ())
    found = (path for path in folder.rglob('*') if path.suffix.lower() in suffixes and path.is_file())
    return sorted(path for path in found if not any(part.startswith('.') for part in path.relative_to(folder).parts))


class UnreadableImage(OSError):
    """A file that is no image or video, or not all of one. The message has one line."""

    def __init__(self, reason: object) -> None:
        super().__init__(next(iter(str(reason).strip().splitlines()), 'cannot be decoded'))


def check_image_is_whole(path: Path) -> None:
    """Decode an image once to see that nothing is missing: ``cv2`` fills what a cut-off file lacks with grey.

    Formats that Pillow does not know pass.

    Raises:
        UnreadableImage: If the file cannot be read or decoded to its end.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except UnidentifiedImageError:
        if path.stat().st_size == 0:
            raise UnreadableImage('the file is empty') from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers of the formats raise
        raise UnreadableImage(error) from error


def displayed(image: np.ndarray) -> np.ndarray:
    """An image of a loader, (h, w) or (h, w, c) in blue, green, red, as RGB (h, w, 3) uint8; other types are stretched."""
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (255 * (image - low) / (high - low if high > low else 1)).round().astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[:, :, 2::-1])
