"""Read configs and change them from the command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

from ..utils import UserError
from ..utils.paths import find_config, shipped_folder


def load_config(
    path: str | Path, options: Sequence[str] = (), work_dir: str | None = None, launcher: str = 'none'
) -> Config:
    """Read a config, apply ``key=value`` options, settle the work folder: argument, config, default.

    Raises:
        UserError: If the file or one of its bases is not there or cannot be read, or an option has no ``=``.
    """
    file = find_config(path)
    try:
        cfg = Config.fromfile(file)
    except (OSError, SyntaxError, ImportError, KeyError) as error:  # of the file, a base of it or an import
        raise UserError(f'config {file} cannot be read: {type(error).__name__}: {str(error)[:300]}') from error
    merge_options(cfg, options)
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(default_work_dir(file))
    return cfg


def default_work_dir(config: Path) -> Path:
    """``work_dirs/<name>``, as MMSeg has it; for shipped configs ``work_dirs/<folder>/<name>``: twins share their name."""
    shipped = shipped_folder('configs').resolve()
    inside = config.resolve().is_relative_to(shipped)
    name = config.resolve().relative_to(shipped).with_suffix('') if inside else config.stem
    return Path('work_dirs') / name


def parse_options(options: Sequence[str]) -> dict:
    """``['a.b=1', 'c=[x,y]']`` to ``{'a.b': 1, 'c': ['x', 'y']}``, as MMSeg's ``--cfg-options`` reads them.

    Raises:
        UserError: If one has no ``=``.
    """
    without = [option for option in options if '=' not in option]
    if without:
        raise UserError(f'--cfg-options takes key=value pairs, got {" ".join(without)}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def merge_options(cfg: Config, options: Sequence[str]) -> None:
    """Change a config in place by ``key=value`` strings."""
    if options:
        try:
            cfg.merge_from_dict(parse_options(options))
        except (KeyError, TypeError, IndexError, AttributeError) as error:  # a path that the config does not have
            raise UserError(
                f'--cfg-options {" ".join(options)}: the config has no such place ({str(error)[:160]})'
            ) from error
