"""The seed of a training whose config has none."""

import random
from pathlib import Path

from mmengine.config import Config

from ...utils.checkpoint import read_checkpoint
from ...utils.processes import decided_by_first


def settle_seed(cfg: Config) -> None:
    """Give a config without a seed that of the training that it goes on with, or one that is drawn, in place.

    mmengine takes the seed out of a checkpoint after the data loader was built, whose images would then come in another order.
    """
    randomness = cfg.get('randomness') or {}
    if randomness.get('seed') is None:
        cfg.randomness = dict(randomness, seed=decided_by_first(lambda: _seed(cfg)))


def _seed(cfg: Config) -> int:
    resumed = cfg.load_from if cfg.resume else None
    known = read_checkpoint(resumed)['meta'].get('seed') if resumed and Path(resumed).is_file() else None
    return random.SystemRandom().randrange(2**31) if known is None else int(known)
