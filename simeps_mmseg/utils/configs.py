"""Configs of the user's."""

import re
from pathlib import Path

from mmengine.config import Config

from .errors import UserError
from .paths import shipped_folder


def read_config(file: str | Path) -> Config:
    """Read a config file that is there.

    Raises:
        UserError: If it or one of its bases cannot be read.
    """
    try:
        return Config.fromfile(file)
    except Exception as error:  # configs are programs, which may raise anything
        problem = f'{type(error).__name__}: {str(error)[:300]}'
        raise UserError(f'config {file} cannot be read: {problem}{hint_for_methods(problem)}') from error


def hint_for_methods(problem: str) -> str:
    """What to write in a config that asks for a method by its name; empty for other problems.

    Example:
        >>> hint_for_methods("AttributeError: 'ConfigDict' object has no attribute 'cps_hooks'")
        '. Every file of configs/_base_/semi names semi_model and semi_hooks: write model = dict(_delete_=True, \
branch=_base_.model, **_base_.semi_model) and custom_hooks = _base_.semi_hooks'
    """
    missing = re.search(r"no attribute '(\w+?)(_hooks)?'", problem)
    methods = {file.stem for file in (shipped_folder('configs') / '_base_/semi').glob('*.py')}
    if not missing or missing[1] not in methods:
        return ''
    return (
        '. Every file of configs/_base_/semi names semi_model and semi_hooks: write model = dict(_delete_=True, '
        'branch=_base_.model, **_base_.semi_model) and custom_hooks = _base_.semi_hooks'
    )
