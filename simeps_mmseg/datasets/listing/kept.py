"""Listings that serve several data sets, so that a large folder is walked once for the checks and for the training."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from .paths import PathTable

_kept: dict[Hashable, PathTable] | None = None  # None: outside


@contextmanager
def listings_kept() -> Iterator[None]:
    """Inside, what a folder or list held when it was first looked at holds for all data sets of this process."""
    global _kept
    if _kept is not None:
        yield
        return
    _kept = {}
    try:
        yield
    finally:
        _kept = None


def kept_listing(key: Hashable, listing: Callable[[], PathTable]) -> PathTable:
    """``listing()``, or what it was before under this key, inside of :func:`listings_kept`."""
    if _kept is None:
        return listing()
    if key not in _kept:
        _kept[key] = listing()
    return _kept[key]
