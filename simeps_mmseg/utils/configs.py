"""Configs of the user's."""

from pathlib import Path

from mmengine.config import Config

from .errors import UserError


def read_config(file: str | Path) -> Config:
    """Read a config file that is there.

    Raises:
        UserError: If it or one of its bases cannot be read.
    """
    try:
        return Config.fromfile(file)
    except Exception as error:  # configs are programs, which may raise anything
        raise UserError(f'config {file} cannot be read: {type(error).__name__}: {str(error)[:300]}') from error
