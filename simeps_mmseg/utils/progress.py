"""Progress that can be watched on a terminal and read in a log file."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar('T')


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Go through ``items`` under a bar with rate and remaining time; one line every ten seconds where nobody watches.

    Args:
        items: What to go through.
        description: What stands before the bar.
        total: Number of items where ``items`` does not know it.
    """
    return tqdm(items, desc=description, total=total, mininterval=0.1 if sys.stderr.isatty() else 10, leave=True)
