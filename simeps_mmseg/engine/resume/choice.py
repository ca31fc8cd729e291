"""From which file a training goes on."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.logging import print_log

from ...utils import UserError
from ...utils.checkpoint import read_checkpoint
from ...utils.paths import real_path
from ...utils.processes import decided_by_first
from .checkpoint_files import name_template, newest_whole

BEGAN = 'began_from'  # key in the config of a resumed training


def choose_checkpoint(cfg: Config) -> None:
    """Resume from the newest checkpoint of the work folder that is whole, or else begin, in place.

    ``load_from`` stays where somebody chose a checkpoint of a training to go on from, unless the work folder has one of the
    training that began there; weights alone and networks that branches start from are none. Of several processes, which have
    to know each other, the first chooses for all: a file that is being written or removed, or a file system that lags behind,
    would have them go on from different steps.

    Raises:
        UserError: If the folder has checkpoints and none can be read, or another process does not find the chosen one.
    """
    start = cfg.get('load_from')
    cfg.resume, cfg.load_from = decided_by_first(lambda: _choice(cfg))
    if start and cfg.resume and start != cfg.load_from:
        cfg[BEGAN] = start  # in the checkpoints to come, which name the file that they go on from
    if is_distributed() and cfg.resume and '://' not in cfg.load_from and not Path(cfg.load_from).is_file():
        raise UserError(
            f'{cfg.load_from}, from which the first process goes on, is not there for this one: a work folder has to be on a '
            'file system that all machines share'
        )


def _choice(cfg: Config) -> tuple[bool, str | None]:
    """Whether there is a training to go on from, and the file to load."""
    start = cfg.get('load_from')
    is_chosen = bool(start) and not is_start(cfg, start)
    if is_chosen and Path(real_path(start)).is_relative_to(real_path(cfg.work_dir)):
        return True, start
    try:
        chosen, passed_over = newest_whole(cfg.work_dir, name_template(cfg))
    except UserError:
        if is_chosen:
            return True, start
        raise
    # Under protection: what holds code is not handed on to a loader that runs it.
    content = read_checkpoint(chosen) if chosen else None
    if is_chosen and not (content and has_begun_from(start, content)):
        return True, start
    if passed_over:
        print_log(f'--resume passes over {"; ".join(passed_over)}', 'current', logging.WARNING)
    if chosen is not None:
        print_log(f'--resume: training goes on from {chosen}', 'current')
        return True, str(chosen)
    if start:
        print_log(f'--resume: training begins from {start}', 'current')
    else:
        print_log(
            f'--resume: there is no checkpoint to go on from in {cfg.work_dir}; training starts from the beginning',
            'current',
            logging.WARNING,
        )
    return False, start


def has_begun_from(start: str, checkpoint: Mapping) -> bool:
    """Whether a checkpoint is of a training that began from a file."""
    written = checkpoint['meta'].get('cfg')
    stated = re.findall(rf"^(?:load_from|{BEGAN}) = '(.*)'$", written if isinstance(written, str) else '', re.MULTILINE)
    return real_path(start) in map(real_path, stated)


def is_start(cfg: Config, start: str) -> bool:
    """Whether a file holds what a training begins from, and not a training to go on with.

    That is an address; weights without the state of an optimiser or without a step, as ``make_semi --checkpoint A B C`` writes
    them; and, where the config trains branches, one network.
    """
    if '://' in start:
        return True
    path = Path(start).expanduser()
    if not path.is_file():
        return False  # which the runner says
    try:
        content = read_checkpoint(path)
    except UserError as error:
        raise UserError(f'load_from={start}: {error}') from error
    if 'optimizer' not in content or 'iter' not in content['meta']:
        return True
    trains_branches = bool({'branch', 'branches'} & cfg.model.keys())
    return trains_branches and not any(key.startswith('branches.') for key in content['state_dict'])
