"""Lists of millions of images, small in memory and fast to compare."""

from .building import build_dataset, listed_samples
from .folders import FolderContents, RealPaths, are_there, image_paths, real_keys, shared_images, shared_positions
from .kept import kept_listing, listings_kept
from .lines import find_files
from .paths import PathTable
from .samples import SampleList, have_masks, paths_of
from .shared import listed_once

__all__ = [
    'FolderContents',
    'PathTable',
    'RealPaths',
    'SampleList',
    'are_there',
    'build_dataset',
    'find_files',
    'have_masks',
    'image_paths',
    'kept_listing',
    'listed_once',
    'listed_samples',
    'listings_kept',
    'paths_of',
    'real_keys',
    'shared_images',
    'shared_positions',
]
