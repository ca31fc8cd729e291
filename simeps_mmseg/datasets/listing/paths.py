"""Many paths in two arrays, which processes share where a list of text objects would be copied."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK = 65_536  # paths that are text at the same time
END = '\0'  # which no path contains
ENCODING = ('utf-8', 'surrogateescape')  # as Python has names of files that are not UTF-8


class PathTable(Sequence[str]):
    """Paths as one array of bytes, and where each ends in it.

    A path takes its bytes and 9 more; as text in a list it takes 57 more. Processes that are forked share the arrays: nothing
    in them is counted when it is read.

    Args:
        content: UTF-8 of all paths, 0 behind each; uint8, shape (bytes,).
        ends: Where those zeros are, ascending; int64, shape (paths,). None: wherever ``content`` is 0.

    Example:
        >>> table = PathTable.from_paths(['a.png', 'b/c.png'])
        >>> table[1], len(table), table.content.nbytes
        ('b/c.png', 2, 14)
    """

    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64] | None = None) -> None:
        self.content = content
        self.ends = np.flatnonzero(content == 0) if ends is None else ends

    @classmethod
    def from_paths(cls, paths: Iterable[str]) -> 'PathTable':
        """A table of paths that may come one by one."""
        content = bytearray()
        stream = iter(paths)
        while block := list(islice(stream, BLOCK)):
            content += (END.join(block) + END).encode(*ENCODING)
        return cls(np.frombuffer(content, np.uint8))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> 'PathTable': ...

    def __getitem__(self, index: int | slice) -> 'str | PathTable':
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        row = range(len(self))[index]
        start = self.ends[row - 1] + 1 if row else 0
        return self.content[start : self.ends[row]].tobytes().decode(*ENCODING)

    def __iter__(self) -> Iterator[str]:
        start = 0
        for last in [*self.ends[BLOCK - 1 :: BLOCK].tolist(), *self.ends[-1:].tolist()]:
            if last >= start:
                yield from self.content[start:last].tobytes().decode(*ENCODING).split(END)
            start = last + 1

    def begin_with(self, character: str) -> bool:
        """Whether one of the paths begins with an ASCII character."""
        starts = np.concatenate([[0], self.ends[:-1] + 1])[: len(self)]
        return bool((self.content[starts] == ord(character)).any())

    def take(self, rows: ArrayLike) -> 'PathTable':
        """A table of some of the paths, in the order of ``rows``."""
        chosen = np.asarray(rows, np.int64)
        begins = np.concatenate([[0], self.ends + 1])[chosen]
        lengths = self.ends[chosen] + 1 - begins
        content = np.empty(int(lengths.sum()), np.uint8)
        position = 0
        for start in range(0, len(chosen), BLOCK):
            begin, length = begins[start : start + BLOCK], lengths[start : start + BLOCK]
            shift = np.repeat(begin - (np.cumsum(length) - length), length)
            content[position : position + len(shift)] = self.content[shift + np.arange(len(shift))]
            position += len(shift)
        return PathTable(content)

    def save(self, file: Path) -> None:
        """Write the bytes to a file that other processes can map into memory."""
        np.save(file, self.content)

    @classmethod
    def load(cls, file: Path) -> 'PathTable':
        """The table in a file, mapped into memory: processes that load the same file share one copy."""
        return cls(np.load(file, mmap_mode='r'))
