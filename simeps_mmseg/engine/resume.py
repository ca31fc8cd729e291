"""From which file a training goes on."""

import logging
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from ..utils import UserError
from ..utils.checkpoint import read_checkpoint
from .resume_files import name_template, newest_whole


def choose_checkpoint(cfg: Config) -> None:
    """Resume from the newest checkpoint of the work folder that is whole, or else begin, in place.

    ``load_from`` stays where somebody chose a checkpoint of this training to go on from; a plain network that branches start
    from is none.

    Raises:
        UserError: If the folder has checkpoints and none can be read.
    """
    start = cfg.get('load_from')
    if start and not is_plain_start(cfg, start):
        cfg.resume = True
        return
    chosen, passed_over = newest_whole(cfg.work_dir, name_template(cfg))
    if passed_over:
        print_log(f'--resume passes over {"; ".join(passed_over)}', 'current', logging.WARNING)
    cfg.resume = chosen is not None
    if chosen is not None:
        read_checkpoint(chosen)  # under protection; what holds code is not handed on to a loader that runs it
        cfg.load_from = str(chosen)
        print_log(f'--resume: training goes on from {chosen}', 'current')
    elif start:
        print_log(f'--resume: training begins from {start}', 'current')
    else:
        print_log(
            f'--resume: there is no checkpoint to go on from in {cfg.work_dir}; training starts from the beginning',
            'current',
            logging.WARNING,
        )


def is_plain_start(cfg: Config, start: str) -> bool:
    """Whether a file holds the weights of one network, and the config trains branches."""
    if not Path(start).is_file() or not {'branch', 'branches'} & cfg.model.keys():
        return False
    try:
        return not any(key.startswith('branches.') for key in read_checkpoint(start)['state_dict'])
    except UserError as error:
        raise UserError(f'load_from={start}: {error}') from error
