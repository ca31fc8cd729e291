"""Files that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


def check_writable(path: str | Path) -> None:
    """Raise ``UserError`` if a file cannot be written; makes its folder. For before the work whose result it is to hold."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror} ({error.filename})') from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f'{path} cannot be written: {"it is a folder" if path.is_dir() else "no permission"}')


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to, with the same suffix; it becomes ``path`` when the block ends well.

    If the block raises, or the process dies, ``path`` is what it was before.
    """
    path = Path(path)
    check_writable(path)
    partial = path.with_name(f'.partial_{os.getpid()}_{path.name}')
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
