"""Files that are whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from .errors import DISK_FULL, UserError


def check_writable(path: str | Path) -> None:
    """Raise ``UserError`` if a file cannot be written; makes its folder. For before the work whose result it is to hold."""
    path = Path(path)
    check_folder_writable(path.parent, path)
    if path.is_dir():
        raise UserError(f'{path} cannot be written: it is a folder')


def check_folder_writable(folder: str | Path, named: str | Path | None = None) -> None:
    """Make a folder.

    Args:
        folder: Its path.
        named: What the message is about, if it is not the folder.

    Raises:
        UserError: If it cannot be made, or nothing can be written in it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'{named or folder} cannot be written: {error.strerror} ({error.filename})') from error
    try:
        TemporaryFile(dir=folder).close()  # permissions alone do not tell: root has them all, also in /proc
    except OSError as error:
        raise UserError(
            f'{named or folder} cannot be written: no file can be made in {folder} ({error.strerror})'
        ) from error


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
    except OSError as error:
        if error.errno in DISK_FULL:
            error.filename = str(path)  # the system names no file where it has no room for what is written to it
        raise
    finally:
        partial.unlink(missing_ok=True)


def sync_to_disk(path: Path) -> None:
    """Return once the bytes of a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == 'nt':
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
