"""A download, read in place: a zip archive or the folder it unpacks to."""

import lzma
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

from ...utils import UserError

# Against archives that unpack to more than any disk holds.
MAX_FILE = 1 << 30  # bytes of one file
MAX_UNPACKED = 1 << 32  # bytes of all files, whatever the size of the archive
MAX_RATIO = 100  # of what is unpacked to the archive


class Source(ABC):
    """Files by their path below the outermost folders that hold everything else, with ``/`` between the parts."""

    def __init__(self, path: Path, files: list[str]) -> None:
        self.path = path
        self._root = _common_folder(files)
        self.files = sorted(file[len(self._root) :] for file in files)

    @abstractmethod
    def _read(self, file: str) -> bytes:
        """The content of a file by its full path."""

    def read(self, file: str) -> bytes:
        """The content of one of :attr:`files`.

        Raises:
            ValueError: If the archive is damaged there.
        """
        return self._read(self._root + file)


class FolderSource(Source):
    """Files below a folder."""

    def __init__(self, path: Path) -> None:
        files = [file.relative_to(path).as_posix() for file in path.rglob('*') if file.is_file()]
        super().__init__(path, [file for file in files if not _is_clutter(file)])

    def _read(self, file: str) -> bytes:
        return (self.path / file).read_bytes()


class ZipSource(Source):
    """Files inside a zip archive; nothing is unpacked."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        unpacked, packed = sum(info.file_size for info in self._archive.infolist()), path.stat().st_size
        if unpacked > max(MAX_UNPACKED, MAX_RATIO * packed):
            raise UserError(
                f'{path}: expected an archive of images, found one of {packed} bytes that unpacks to {unpacked}; at most '
                f'{MAX_RATIO} times its size is read. If it is sound, unpack it and give the folder'
            )
        files = [info.filename for info in self._archive.infolist() if not info.is_dir()]
        super().__init__(path, [file for file in files if not _is_clutter(file)])

    def _read(self, file: str) -> bytes:
        try:
            with self._archive.open(file) as packed:
                content = packed.read(MAX_FILE + 1)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            raise ValueError(f'{file}: the archive is damaged here ({error})') from error
        except RuntimeError as error:  # encrypted, or packed in a way that Python does not know
            raise ValueError(f'{file}: cannot be unpacked ({error}); unpack the archive and give the folder') from error
        if len(content) > MAX_FILE:
            raise ValueError(f'{file}: unpacks to more than {MAX_FILE >> 30} GiB, which no image has')
        return content


def open_source(path: str | Path) -> Source:
    """Open a download.

    Raises:
        UserError: If it is not there, or is neither a folder nor a readable zip archive.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f'{path} is not there: give the downloaded archive or the folder it unpacks to')
    if path.is_dir():
        return FolderSource(path)
    try:
        return ZipSource(path)
    except zipfile.BadZipFile as error:
        raise UserError(
            f'{path} is neither a folder nor a complete zip archive ({error}): download it again'
        ) from error


def _is_clutter(file: str) -> bool:
    """Files that archivers and desktops leave behind."""
    parts = PurePosixPath(file).parts
    return '__MACOSX' in parts or parts[-1].startswith('.') or parts[-1] in ('Thumbs.db', 'desktop.ini')


def _common_folder(files: list[str]) -> str:
    """The folders that all files share, with a final ``/``; empty if there are none."""
    folders = [PurePosixPath(file).parts[:-1] for file in files]
    if not folders:
        return ''
    shared = 0
    while all(len(folder) > shared and folder[shared] == folders[0][shared] for folder in folders):
        shared += 1
    return ''.join(f'{part}/' for part in folders[0][:shared])
