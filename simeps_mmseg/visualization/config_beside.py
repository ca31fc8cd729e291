"""The config of a training, as it lies beside its log."""

from pathlib import Path

from mmengine.config import Config

from ..utils.literal_config import read_literals_of
from .training_log import log_files


def config_beside(log: Path, next_step: str) -> Config | None:
    """The config that mmengine wrote for the newest start of a training, ``vis_data/config.py``; None if it is not there.

    It is not run: a work folder may be from elsewhere.

    Args:
        log: Work folder of a training, folder of a single start, or JSON file.
        next_step: What the user can do where it is not plain values, for the message.

    Raises:
        UserError: If it holds more than plain values.
    """
    file = log_files(log)[-1].parent / 'config.py'
    return read_literals_of(file, next_step) if file.is_file() else None
