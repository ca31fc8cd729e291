"""A look at some images before a network is run on all of them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
from mmengine.logging import print_log
from PIL import Image, UnidentifiedImageError

from ..datasets.checks.inspection import depth_problem, is_ordinary
from ..utils import evenly_spaced
from ..utils.config_tree import type_name
from ..utils.images import IMAGE_ERRORS, is_empty

DEEP_SUFFIXES = ('.png', '.tif', '.tiff', '.ppm', '.pgm')  # of the formats that may have 16 bits


def warn_of_dark_images(step: Mapping, paths: Sequence[Path], files: int = 4, headers: int = 1000) -> None:
    """Say so if some of the 16-bit images, ``files`` of them, use so few bits that the network sees them nearly black.

    Args:
        step: Config of the pipeline's step that loads an image.
        paths: Of the images, whatever their depth.
        files: How many of 16 bits to look at, evenly spaced.
        headers: How many to look for them among, likewise: on a shared disk each takes its time.
    """
    if not is_ordinary({**step, 'type': type_name(step['type'])}):
        return
    paths = [path for path in paths if path.suffix.lower() in DEEP_SUFFIXES]
    deep = [path for path in _some(paths, headers) if may_have_16_bits(path)]
    for path in _some(deep, files):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        found = None if image is None else depth_problem(image, step.get('bit_depth'), step.get('percentiles'))
        if found:
            print_log(f'{path}: {found[1]}', 'current', logging.WARNING)
            return


def _some(paths: Sequence[Path], most: int) -> list[Path]:
    return [paths[index] for index in evenly_spaced(len(paths), most)] if paths else []


def may_have_16_bits(path: Path) -> bool:
    """Whether the header of an image speaks of more than 8 bits, or is of a kind that Pillow does not know."""
    try:
        with Image.open(path) as image:
            # Pillow makes 8 bits of 16-bit colour; how it would decode the file tells, but of PPM.
            in_tile = any(';16' in str(tile[3]) for tile in image.tile)
            return in_tile or image.mode.startswith('I') or (image.format, image.mode) == ('PPM', 'RGB')
    except UnidentifiedImageError:
        return not is_empty(path)
    except IMAGE_ERRORS:
        return False
