"""Which of many paths are there, lead to the same file, or are in two lists: each folder is read once, not each file."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ...utils.dataset_tree import leaf_datasets
from ...utils.paths import real_path
from ...utils.processes import decided_by_first
from .samples import SampleList, paths_of

FOLDERS_KEPT = 4096
SETTLED = 2 * 10**9  # nanoseconds; file systems have times of 1 ns to 2 s


class FolderContents(NamedTuple):
    """What is in a folder.

    Attributes:
        names: Python's hash of each name, ascending; int64. It differs from process to process.
        links: The names that are symbolic links.
    """

    names: NDArray[np.int64]
    links: frozenset[str]

    @classmethod
    def of(cls, folder: str) -> 'FolderContents':
        """Read a folder, or recall it where it has not changed; empty where it is not there."""
        try:
            changed = os.stat(folder or '.').st_mtime_ns
            is_settled = time.time_ns() - changed > SETTLED  # else a change might not show in the time
            return (_recalled if is_settled else _read)(folder, changed)
        except OSError:
            return cls(np.empty(0, np.int64), frozenset())


def _read(folder: str, changed: int) -> FolderContents:
    links = []

    def keys() -> Iterator[int]:
        with os.scandir(folder or '.') as entries:
            for entry in entries:
                if entry.is_symlink():
                    links.append(entry.name)
                yield hash(entry.name)

    return FolderContents(np.sort(np.fromiter(keys(), np.int64)), frozenset(links))


if os.sep == '/':  # a third of the time of ``os.path``, which has other systems to think of

    def split(path: str) -> tuple[str, str]:
        """Folder, with its slash, and name."""
        name = path.rpartition('/')[2]
        return path[: len(path) - len(name)], name

    def normcase(path: str) -> str:
        """The path: upper and lower case differ."""
        return path
else:

    def split(path: str) -> tuple[str, str]:
        """Folder and name."""
        return os.path.split(path)

    def normcase(path: str) -> str:
        """The path as the system compares it."""
        return os.path.normcase(path)


_keys: WeakKeyDictionary[Dataset, NDArray[np.int64]] = WeakKeyDictionary()
_recalled = lru_cache(FOLDERS_KEPT)(_read)


class RealPaths:
    """``real_path`` for many files of few folders: links among the folders are followed once for each folder."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[str, frozenset[str]]] = {}

    def __call__(self, path: str) -> str:
        folder, name = split(path)
        if folder not in self._folders:
            real = os.path.realpath(folder)
            self._folders[folder] = os.path.join(real, ''), FolderContents.of(real).links
        real, links = self._folders[folder]
        return normcase(os.path.realpath(path) if name in links else real + name)


def real_keys(paths: Iterable[str]) -> NDArray[np.int64]:
    """A number for each path, the same for paths of one file. Two files share one with a probability of 2 ** -64."""
    real = RealPaths()
    return np.fromiter((hash(real(path)) for path in paths), np.int64)


def shared_positions(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Positions in each of two arrays of what is in both."""
    smaller, larger = sorted((first, second), key=len)
    common = np.intersect1d(smaller, larger[np.isin(larger, smaller)])
    if not len(common):
        return [], []
    return np.flatnonzero(np.isin(first, common)).tolist(), np.flatnonzero(np.isin(second, common)).tolist()


def are_there(paths: Sequence[str] | Iterable[str]) -> NDArray[np.bool_]:
    """Whether a file or folder of each name is there; bool, shape (paths,). Links are not followed."""
    folders: dict[str, int] = {}
    belongs: list[int] = []
    names = np.fromiter(_names(paths, folders, belongs), np.int64)
    of = np.asarray(belongs, np.int32)
    found = np.zeros(len(names), bool)
    order = np.argsort(of, kind='stable')
    starts = np.searchsorted(of[order], np.arange(len(folders) + 1))
    for folder, number in folders.items():
        rows = order[starts[number] : starts[number + 1]]
        found[rows] = np.isin(names[rows], FolderContents.of(folder).names)
    return found


def _names(paths: Iterable[str], folders: dict[str, int], belongs: list[int]) -> Iterator[int]:
    for path in paths:
        folder, name = split(path)
        belongs.append(folders.setdefault(folder, len(folders)))
        yield hash(name)


def image_paths(dataset: Dataset) -> Iterator[str]:
    """Path of each image of a data set, wrapped or not, in its order."""
    return chain.from_iterable(map(_leaf_paths, leaf_datasets(dataset)))


def _leaf_paths(leaf: Any) -> Iterator[str]:
    samples = getattr(leaf, 'data_list', None)
    if isinstance(samples, SampleList):
        return paths_of(samples)
    return (leaf.get_data_info(index)['img_path'] for index in range(len(leaf)))


def shared_images(first: Dataset, second: Dataset) -> set[str]:
    """Real paths of the images that two data sets have in common.

    Of processes that know each other, the first compares for all, and every one has to call this.
    """
    return decided_by_first(lambda: _shared_images(first, second))


def _shared_images(first: Dataset, second: Dataset) -> set[str]:
    found = []
    for dataset, positions in zip((first, second), shared_positions(*map(dataset_keys, (first, second)))):
        wanted = set(positions)
        paths = enumerate(image_paths(dataset)) if wanted else ()
        found.append({real_path(path) for position, path in paths if position in wanted})
    return found[0] & found[1]


def dataset_keys(dataset: Dataset) -> NDArray[np.int64]:
    """:func:`real_keys` of the images of a data set; of one that is built only once they are computed once."""
    return np.concatenate([_leaf_keys(leaf) for leaf in leaf_datasets(dataset)])


def _leaf_keys(leaf: Dataset) -> NDArray[np.int64]:
    if leaf not in _keys:
        _keys[leaf] = real_keys(_leaf_paths(leaf))
    return _keys[leaf]
