"""A download, read in place: a zip archive or the folder it unpacks to."""

import lzma
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

from ...utils import UserError


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
        files = [info.filename for info in self._archive.infolist() if not info.is_dir()]
        super().__init__(path, [file for file in files if not _is_clutter(file)])

    def _read(self, file: str) -> bytes:
        try:
            return self._archive.read(file)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError) as error:
            raise ValueError(f'{file}: the archive is damaged here ({error})') from error
        except RuntimeError as error:  # encrypted, or packed in a way that Python does not know
            raise ValueError(f'{file}: cannot be unpacked ({error}); unpack the archive and give the folder') from error


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
