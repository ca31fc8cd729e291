"""Several processes that train together: which is the first, and when they know each other."""

import gc
import logging
import os
from collections.abc import Callable
from typing import TypeVar

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, get_rank, init_dist, is_distributed
from mmengine.logging import print_log
from mmengine.utils.dl_utils import set_multi_processing
from torch import distributed

from .errors import UserError

Decision = TypeVar('Decision')

RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')  # set by torchrun (and mmengine), Slurm, Open MPI


def is_first_process(cfg: Config) -> bool:
    """Whether this is the process that checks and writes; known before the processes know each other.

    Without a launcher each process trains alone, whatever the numbers of an outer job are.
    """
    return trains_alone(cfg) or int(next((os.environ[name] for name in RANKS if name in os.environ), 0)) == 0


def trains_alone(cfg: Config) -> bool:
    """Whether no launcher has started others that train with this process."""
    return cfg.get('launcher', 'none') == 'none'


def join_processes(cfg: Config) -> None:
    """Let the processes of a config's launcher know each other, as its runner would do later; one alone does nothing."""
    if trains_alone(cfg) or is_distributed():
        return
    env_cfg = cfg.get('env_cfg') or {}
    set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
    init_dist(cfg.launcher, **env_cfg.get('dist_cfg', dict(backend='nccl')))


def leave_processes() -> None:
    """Let go of the other processes when all work is done; one alone does nothing.

    Else the interpreter may end while a thread of Gloo still holds a tensor of the last exchange. That thread then aborts the
    process, which a launcher takes for a failed training. It stays so where something else still holds the model. An error
    of the group is a warning: the work is done.
    """
    if is_distributed():
        gc.collect()  # the runner, whose model holds the group and with it the threads
        try:
            distributed.destroy_process_group()
        except RuntimeError as error:
            print_log(f'the processes could not part: {error}', 'current', logging.WARNING)


def decided_by_first(decide: Callable[[], Decision]) -> Decision:
    """What the first process decides, on all processes that know each other.

    Raises:
        UserError: On all of them, if ``decide`` raises one.
    """
    decided: list = [None, None]
    if get_rank() == 0:
        try:
            decided[0] = decide()
        except UserError as error:
            decided[1] = error
    broadcast_object_list(decided)
    if decided[1] is not None:
        raise decided[1]
    return decided[0]
