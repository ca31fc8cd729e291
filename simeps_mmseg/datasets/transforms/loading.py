"""Images of any depth as the 8 bits that networks and augmentations expect."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.fileio import get as read_bytes
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from ...utils import UserError


def to_uint8(
    image: NDArray, bit_depth: int | None = None, percentiles: Sequence[float] | None = None
) -> NDArray[np.uint8]:
    """Scale an image to 8 bits.

    Args:
        image: Pixels of any shape. Unsigned integers come from a camera with ``bit_depth`` bits, floats lie in [0, 1].
            8-bit images are returned as they are.
        bit_depth: Bits that are in use, such as 12 for a 12-bit camera that writes 16-bit files. None: all of the type, so
            16 bits are divided by 257.
        percentiles: Lower and upper percentile of the image's own values, which become 0 and 255; what lies outside is cut
            off. Takes the place of ``bit_depth`` and makes images of different exposure alike.

    Returns:
        The image, rounded, in uint8.

    Raises:
        ValueError: On signed integers, on floats outside [0, 1] without ``percentiles``, or on options out of range.

    Example:
        >>> to_uint8(np.array([0, 128, 129, 65535], np.uint16)).tolist()
        [0, 0, 1, 255]
        >>> to_uint8(np.array([0, 2048, 4095], np.uint16), bit_depth=12).tolist()
        [0, 128, 255]
        >>> to_uint8(np.array([100, 150, 200], np.uint16), percentiles=(0, 100)).tolist()
        [0, 128, 255]
    """
    check_scaling(bit_depth, percentiles)
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind not in 'uf':
        raise ValueError(f'expected pixels of type uint8, uint16 or float, found {image.dtype}')
    if percentiles is not None:
        low, high = np.percentile(image, percentiles)
    elif image.dtype.kind == 'u':
        low, high = 0, 2 ** (bit_depth or 8 * image.dtype.itemsize) - 1
    else:
        low, high = 0.0, 1.0
        if image.size and not (image.min() >= 0 and image.max() <= 1):
            raise ValueError(
                f'expected floats in [0, 1], found values from {image.min():g} to {image.max():g}; '
                'set percentiles, such as (1, 99)'
            )
    if high <= low:  # all pixels equal
        return np.zeros(image.shape, np.uint8)
    scaled = (image.astype(np.float64) - low) * 255 / (high - low)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def check_scaling(bit_depth: int | None, percentiles: Sequence[float] | None) -> None:
    """Raise ``ValueError`` on options of :func:`to_uint8` that are out of range."""
    if bit_depth is not None and not 8 < bit_depth <= 16:
        raise UserError(f'bit_depth must be from 9 to 16 (or None for all bits of the file), got {bit_depth}')
    if percentiles is not None and not (len(percentiles) == 2 and 0 <= percentiles[0] < percentiles[1] <= 100):
        raise UserError(f'percentiles must be a lower and an upper one in [0, 100], such as (1, 99), got {percentiles}')


@TRANSFORMS.register_module()
class LoadImageAsUint8(LoadImageFromFile):
    """``LoadImageFromFile`` that knows what to do with more than 8 bits.

    Whatever is in the file (grey, colour, with transparency; 8 or 16 bits, floats), the result is what
    ``LoadImageFromFile`` makes of an ordinary photograph: 8 bits, three channels in BGR order, upright by its EXIF
    orientation. 8-bit files come out the same as with ``LoadImageFromFile``. That one keeps the upper byte of 16 bits, so
    that the images of a 12-bit camera come out nearly black, and refuses floats.

    Required keys: ``img_path``. Added keys: ``img`` (h, w, 3) uint8, ``img_shape``, ``ori_shape``.

    Args:
        bit_depth: Bits in use in files with more than 8, see :func:`to_uint8`. Not for 8-bit files.
        percentiles: Percentiles that become black and white in files with more than 8 bits, see :func:`to_uint8`.
        **kwargs: See ``mmcv.transforms.LoadImageFromFile``; ``color_type`` and ``imdecode_backend`` are fixed.

    Raises:
        ValueError: On options out of range, or a file that is no image; names the file.
    """

    def __init__(self, bit_depth: int | None = None, percentiles: Sequence[float] | None = None, **kwargs: Any) -> None:
        for key, fixed in (('color_type', 'color'), ('imdecode_backend', 'cv2')):
            if kwargs.get(key, fixed) != fixed:
                raise UserError(
                    f'LoadImageAsUint8.{key} is always {fixed!r}, got {kwargs[key]!r}; use LoadImageFromFile'
                )
        check_scaling(bit_depth, percentiles)
        super().__init__(**kwargs)
        self.bit_depth = bit_depth
        self.percentiles = percentiles

    def transform(self, results: dict) -> dict | None:
        """Read one image; None where it cannot be read and ``ignore_empty`` is set."""
        path = results['img_path']
        try:
            image = to_uint8(
                decode_color(read_bytes(path, backend_args=self.backend_args)), self.bit_depth, self.percentiles
            )
        except ValueError as error:
            if self.ignore_empty:
                return None
            raise ValueError(f'{path}: {error}') from error
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        own = f'bit_depth={self.bit_depth}, percentiles={self.percentiles}'
        return f'{type(self).__name__}({own}, to_float32={self.to_float32}, ignore_empty={self.ignore_empty})'


def decode_color(content: bytes) -> NDArray:
    """An image file as (h, w, 3) BGR pixels, upright, in the depth of the file.

    Raises:
        ValueError: If it is empty, cut off or no image.
    """
    data = np.frombuffer(content, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    if image is None and data.size:  # OpenCV reads floats only as they are
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError('not a readable image')
    if image.ndim == 2:
        image = image[..., None]
    return np.repeat(image, 3, axis=2) if image.shape[2] < 3 else np.ascontiguousarray(image[..., :3])
