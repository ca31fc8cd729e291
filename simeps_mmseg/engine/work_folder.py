"""One training at a time in a work folder, and none over another."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TextIO

from mmengine.config import Config
from mmengine.logging import print_log

from ..utils import UserError
from ..utils.processes import decided_by_first, is_first_process
from .resume import POINTER, name_template, periodic_pattern

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = '.training'
# What a training writes. Anything else in the folder is somebody's own.
WRITTEN = re.compile(rf'(best_.+|last_good|labels_only)\.pth|{POINTER}|labels_only\.json|\d{{8}}_\d{{6}}(_.*)?')


_locks: list[TextIO] = []  # that this process holds


def _leave_locks_to_parent() -> None:
    """In a fork: the workers of a data loader outlive a training that is killed by some seconds, and would hold its lock."""
    while _locks:
        _locks.pop().close()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_leave_locks_to_parent)


@contextmanager
def only_training(cfg: Config) -> Iterator[None]:
    """Hold the work folder while one training runs in it; the lock goes with the process, however it ends.

    Where the file system has no locks, that is said and nothing held.

    Raises:
        UserError: If another process trains there.
    """
    if fcntl is None or not is_first_process(cfg):
        yield
        return
    folder = Path(cfg.work_dir)
    with (folder / LOCK).open('a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f'{folder}: another training writes there (process {file.read().strip() or "unknown"}); wait for its end, or '
                'give this one another --work-dir'
            ) from error
        except OSError as error:  # such as on Lustre without -o flock
            print_log(
                f'{folder} cannot be locked ({error}): see to it that no other training writes there',
                'current',
                logging.WARNING,
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _locks.append(file)
        try:
            yield
        finally:
            _locks.remove(file)


def set_aside(cfg: Config) -> None:
    """Move what an earlier training with checkpoints left in the work folder into ``earlier_1``, ``earlier_2``, ... below it.

    So nothing is written over, and no later ``--resume`` goes on from the wrong one. A ``load_from`` that pointed there
    follows, in place. Of several processes, which have to know each other, the first moves and tells the others.
    """
    start = decided_by_first(lambda: _moved(cfg))
    if start is not None:
        cfg.load_from = start


def _moved(cfg: Config) -> str | None:
    """Move the files of an earlier training into a folder of their own.

    Returns:
        Where ``load_from`` is now; None if it stays what it was.
    """
    folder = Path(cfg.work_dir)
    start = Path(cfg.load_from) if cfg.get('load_from') else None
    if start is not None and not (start.is_file() and start.resolve().parent == folder.resolve()):
        start = None  # stays where it is
    periodic = periodic_pattern(name_template(cfg))
    found = [path for path in sorted(folder.iterdir()) if WRITTEN.fullmatch(path.name) or periodic.fullmatch(path.name)]
    if not any(path.suffix == '.pth' for path in found):
        return None  # logs lie in a folder for each start, so nothing can be written over
    target = next(path for path in (folder / f'earlier_{n}' for n in count(1)) if not path.exists())
    target.mkdir()
    for path in found:
        path.rename(target / path.name)
    print_log(
        f'{folder} holds an earlier training: its {len(found)} files and folders are now in {target} (--resume would have '
        'continued it)',
        'current',
    )
    moved = target / start.resolve().name if start is not None else None
    return str(moved) if moved is not None and moved.exists() else None
