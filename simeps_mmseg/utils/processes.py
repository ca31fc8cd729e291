"""Several processes that train together: which is the first, and when they know each other."""

import os

from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed
from mmengine.utils.dl_utils import set_multi_processing

RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')  # set by torchrun (and mmengine), Slurm, Open MPI


def is_first_process() -> bool:
    """Whether this is the process that checks and writes; known before the processes know each other."""
    return int(next((os.environ[name] for name in RANKS if name in os.environ), 0)) == 0


def join_processes(cfg: Config) -> None:
    """Let the processes of a config's launcher know each other, as its runner would do later; one alone does nothing."""
    if cfg.get('launcher', 'none') == 'none' or is_distributed():
        return
    env_cfg = cfg.get('env_cfg') or {}
    set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
    init_dist(cfg.launcher, **env_cfg.get('dist_cfg', dict(backend='nccl')))
