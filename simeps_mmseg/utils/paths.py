"""Where configs and tools are."""

import os
from difflib import get_close_matches
from pathlib import Path

from .errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]


def real_path(path: str | Path) -> str:
    """One name for each file, behind links and whatever the case where that does not count."""
    return os.path.normcase(os.path.realpath(path))


def shipped_folder(name: str) -> Path:
    """``configs`` or ``tools``: inside the installed package (``.mim``, as MMSeg has it), or beside it in a clone."""
    installed = PACKAGE / '.mim' / name
    return installed if installed.is_dir() else PACKAGE.parent / name


def find_config(path: str | Path) -> Path:
    """A config by its path, or by its path below the shipped ``configs/``.

    Raises:
        UserError: If there is none; names shipped ones with a similar name.
    """
    shipped = shipped_folder('configs')
    candidates = [Path(path), shipped / path, shipped.parent / path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    names = {file.stem: file.relative_to(shipped).as_posix() for file in shipped.glob('[!_]*/*.py')}
    close = [names[stem] for stem in get_close_matches(Path(path).stem, names, n=3)]
    hint = f'did you mean {", ".join(close)}?' if close else f'shipped ones are in {shipped}'
    raise UserError(f'config {path} is not there; {hint}')
