"""Which checkpoint of a work folder a training goes on from, and whether a file is whole."""

import re
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ...utils import UserError

POINTER = 'last_checkpoint'
PERIODIC = r'(?:iter|epoch)_(\d+)\.pth'  # what mmengine calls them unless a config has CheckpointHook.filename_tmpl


class Choice(NamedTuple):
    """The checkpoint to go on from.

    Attributes:
        path: The newest that is whole; None where there is none at all.
        passed_over: Newer ones with what is wrong with each.
    """

    path: Path | None
    passed_over: list[str]


def name_template(cfg: Config) -> str | None:
    """What a config calls its checkpoints, if it has a name of its own for them."""
    return ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('filename_tmpl')


def periodic_pattern(template: str | None = None) -> re.Pattern:
    """The names of the checkpoints of steps, or of epochs; the one group that matches is the number.

    Args:
        template: ``filename_tmpl`` of ``CheckpointHook``.

    Example:
        >>> bool(periodic_pattern().fullmatch('iter_20000.pth')), bool(periodic_pattern().fullmatch('resnet50.pth'))
        (True, False)
        >>> periodic_pattern('step-{}.pth').fullmatch('step-70.pth').group(2)
        '70'
    """
    own = '' if template is None else '|' + re.escape(template).replace(re.escape('{}'), r'(\d+)')
    return re.compile(PERIODIC + own)


def periodic_checkpoints(folder: Path, template: str | None = None) -> list[Path]:
    """The checkpoints of steps in a folder, newest first; ``template`` as in :func:`periodic_pattern`."""
    pattern = periodic_pattern(template)
    found = [
        (int(match[match.lastindex or 0]), file) for file in folder.glob('*') if (match := pattern.fullmatch(file.name))
    ]
    return [file for _, file in sorted(found, reverse=True)]


def newest_whole(folder: str | Path, template: str | None = None) -> Choice:
    """The newest checkpoint in a work folder that can be read whole.

    The pointer ``last_checkpoint`` is not needed for that: it may be cut off or, in a copied folder, point elsewhere.

    Args:
        folder: The work folder.
        template: ``filename_tmpl`` of ``CheckpointHook``, if the config has one.

    Raises:
        UserError: If there are checkpoints, and none is whole; names what is wrong with each.
    """
    passed_over: list[str] = []
    for file in periodic_checkpoints(Path(folder), template):
        fault = fault_of(file)
        if fault is None:
            return Choice(file, passed_over)
        passed_over.append(f'{file.name} ({fault})')
    if passed_over:
        raise UserError(
            f'no checkpoint in {folder} can be read whole: {"; ".join(passed_over)}. Restore one from a copy, or remove '
            'them to begin anew'
        )
    return Choice(None, [])


def fault_of(path: Path) -> str | None:
    """What is wrong with the bytes of a checkpoint; None if they are those that were written.

    ``torch.save`` writes a ZIP archive, in which each record has a checksum (CRC-32). ``torch.load`` does not compare it.
    """
    try:
        if path.stat().st_size == 0:
            return 'empty'
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                return f'damaged: the checksum of {damaged} differs'
            if not any(name.endswith('data.pkl') for name in archive.namelist()):
                return 'no checkpoint: a ZIP archive of something else'
    except zipfile.BadZipFile:
        return 'cut off or damaged'
    except (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        return f'cannot be read: {error}'
    return None


def own_file(folder: str | Path, name: object, pattern: str) -> Path | None:
    """A file of a work folder by a name from a checkpoint, of which only the last part counts.

    Args:
        folder: The work folder; nothing outside it is ever returned.
        name: What the checkpoint says: maybe a path on another machine, maybe anything.
        pattern: Regular expression that the whole of the last part has to match.
    """
    if not isinstance(name, str):
        return None
    last = re.split(r'[/\\]', name)[-1]
    file = Path(folder) / last
    return file if re.fullmatch(pattern, last) and file.is_file() and not file.is_symlink() else None
