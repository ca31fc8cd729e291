"""Progress that can be watched on a terminal and read in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

T = TypeVar('T')
QUIET = 10.0  # seconds between two lines of a log file
LINE = '{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]'


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Go through ``items`` under a bar with rate and remaining time; one line every ten seconds where nobody watches.

    Args:
        items: What to go through.
        description: What stands before the bar.
        total: Number of items where ``items`` does not know it.
    """
    if sys.stderr.isatty():
        return tqdm(items, desc=description, total=total)
    return _in_lines(items, description, len(items) if total is None and isinstance(items, Sized) else total)


def _in_lines(items: Iterable[T], description: str, total: int | None) -> Iterator[T]:
    """Yield the items; write a line every ten seconds."""
    start = told = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - told >= QUIET:
            told = now
            line = tqdm.format_meter(done, total, now - start, prefix=description, bar_format=LINE)
            print(line, file=sys.stderr, flush=True)
        yield item
