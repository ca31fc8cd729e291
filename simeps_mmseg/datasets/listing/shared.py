"""What processes that train together do once for each machine, such as listing a folder."""

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from mmengine.dist import all_gather_object, get_rank, is_distributed

from ...utils import UserError
from .paths import PathTable


def listed_once(listing: Callable[[], PathTable]) -> PathTable:
    """A table that one process of each machine makes and the others map into their memory.

    Every process has to call this. The file between them is in the folder for temporary files until all have opened it.

    Args:
        listing: Makes the table.

    Raises:
        UserError: In every process, where one could not make it.
    """
    if not is_distributed():
        return listing()
    file, is_first = made_once(lambda: _written(listing()))
    table = PathTable.load(Path(file))
    all_gather_object(None)  # all have opened it
    if is_first:
        Path(file).unlink(missing_ok=True)
    return table


def made_once(make: Callable[[], str]) -> tuple[str, bool]:
    """The path of something that one process of each machine makes, and whether this is that process.

    Every process has to call this.

    Raises:
        UserError: In every process, where one could not make it.
    """
    if not is_distributed():
        return make(), True
    machine = _machine()
    is_first = all_gather_object(machine).index(machine) == get_rank()
    path, problem = '', None
    if is_first:
        try:
            path = make()
        except (UserError, OSError, UnicodeError) as error:  # the others wait for an answer
            problem = str(error)
    answers = [answer for answer in all_gather_object((machine, is_first, path, problem)) if answer[1]]
    for *_, problem in answers:
        if problem is not None:
            raise UserError(problem)
    return next(path for host, _, path, _ in answers if host == machine), is_first


def _machine() -> tuple[str, int, int]:
    """What processes have alike that see the same folder for temporary files."""
    state = os.stat(tempfile.gettempdir())
    return socket.gethostname(), state.st_dev, state.st_ino


def _written(table: PathTable) -> str:
    handle, name = tempfile.mkstemp('.npy', 'simeps_list_')
    os.close(handle)
    table.save(Path(name))
    return name
