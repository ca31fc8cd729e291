"""Which files of a folder the lines of a list mean."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..splits import listed_name
from .paths import PathTable


class ListedFiles(NamedTuple):
    """What the lines of a list come to; see :func:`~simeps_mmseg.datasets.splits.find_listed` for what a line may be.

    Attributes:
        files: Those that are meant, in the order of the lines; a line that is there twice counts once.
        missing: The lines that name no file.
        ambiguous: By line, the files that it cannot tell apart.
    """

    files: PathTable
    missing: list[str]
    ambiguous: dict[str, list[str]]


def find_files(lines: PathTable, files: PathTable, suffixes: Sequence[str] = ()) -> ListedFiles:
    """Look lines up among files as ``find_listed`` does, by sorted hashes in place of a dict of names.

    Args:
        lines: The list.
        files: Paths below the folder that the lines start from.
        suffixes: What data sets add to a name.

    Example:
        >>> lines, files = PathTable.from_paths(['b.png', 'a', 'b', 'c']), PathTable.from_paths(['a.jpg', 'b.jpg', 'b.png'])
        >>> found = find_files(lines, files)
        >>> list(found.files), found.missing, found.ambiguous
        (['b.png', 'a.jpg'], ['c'], {'b': ['b.jpg', 'b.png']})
    """
    asked = _hashes(lines)
    first = np.sort(np.unique(asked, return_index=True)[1])  # of each line
    asked = asked[first]
    whole = _Rows(_hashes(files), np.arange(len(files)))
    low, count = whole.find(asked)
    if count.all():
        same = len(first) == len(lines)
        return ListedFiles(lines if same else lines.take(first), [], {})
    rows = np.full(len(first), -1)
    rows[count > 0] = whole.rows[low[count > 0]]
    stems = _stems(files, suffixes)
    unknown = np.flatnonzero(rows < 0)
    low, count = stems.find(asked[unknown])
    once = count == 1
    rows[unknown[once]] = stems.rows[low[once]]
    missing = [lines[int(first[place])] for place in unknown[count == 0]]
    ambiguous = {
        lines[int(first[unknown[place]])]: [files[int(row)] for row in np.sort(stems.rows[start : start + several])]
        for place, start, several in zip(np.flatnonzero(count > 1), low[count > 1], count[count > 1])
    }
    return ListedFiles(files.take(rows[rows >= 0]), missing, ambiguous)


class _Rows:
    """Rows by their hash."""

    def __init__(self, keys: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        order = np.argsort(keys, kind='stable')
        self.keys, self.rows = keys[order], rows[order]

    def find(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each key where its rows begin, and how many there are."""
        low = np.searchsorted(self.keys, keys)
        return low, np.searchsorted(self.keys, keys, side='right') - low


def _hashes(table: PathTable) -> NDArray[np.int64]:
    return np.fromiter(map(hash, table), np.int64, len(table))


def _stems(files: PathTable, suffixes: Sequence[str]) -> _Rows:
    """Rows of the files by what a line without suffix may call them: one name, or two where ``suffixes`` cut off more."""
    own = np.fromiter((hash(listed_name(file)) for file in files), np.int64, len(files))
    cut = np.fromiter((hash(listed_name(file, suffixes)) for file in files), np.int64, len(files))
    differ = np.flatnonzero(own != cut)
    return _Rows(np.concatenate([own, cut[differ]]), np.concatenate([np.arange(len(files)), differ]))
