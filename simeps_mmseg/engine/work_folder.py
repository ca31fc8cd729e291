"""One training at a time in a work folder, and none over another."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from ..utils import UserError
from ..utils.processes import is_first_process
from .checkpoints import POINTER, periodic_checkpoints

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = '.training'
# What a training writes. Anything else in the folder is somebody's own.
WRITTEN = re.compile(
    rf'(best_.+|[\w-]*?\d+|last_good|labels_only)\.pth|{POINTER}|labels_only\.json|\d{{8}}_\d{{6}}(_.*)?'
)


@contextmanager
def only_training(folder: str | Path) -> Iterator[None]:
    """Hold a work folder while one training runs in it; the lock goes with the process, however it ends.

    Raises:
        UserError: If another process trains there.
    """
    if fcntl is None or not is_first_process():
        yield
        return
    with (Path(folder) / LOCK).open('a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f'{folder}: another training writes there (process {file.read().strip() or "unknown"}); wait for its end, or '
                'give this one another --work-dir'
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def set_aside(cfg: Config) -> None:
    """Move what an earlier training left in the work folder into ``earlier_1``, ``earlier_2``, ... below it.

    So nothing is written over, and no later ``--resume`` goes on from the wrong one. A ``load_from`` that pointed there
    follows, in place.
    """
    folder = Path(cfg.work_dir)
    start = Path(cfg.load_from) if cfg.get('load_from') else None
    inside = start is not None and start.is_file() and start.resolve().parent == folder.resolve()
    if not periodic_checkpoints(folder):
        return
    target = next(path for path in (folder / f'earlier_{n}' for n in count(1)) if not path.exists())
    if inside:
        cfg.load_from = str(target / start.name)
    if not is_first_process():
        return
    found = [path for path in sorted(folder.iterdir()) if WRITTEN.fullmatch(path.name)]
    target.mkdir()
    for path in found:
        path.rename(target / path.name)
    print_log(
        f'{folder} holds an earlier training: its {len(found)} files and folders are now in {target} (--resume would have '
        'continued it)',
        'current',
    )
