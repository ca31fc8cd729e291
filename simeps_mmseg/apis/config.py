"""Read configs and change them from the command line."""

import argparse
from collections.abc import Sequence

from mmengine.config import Config, DictAction


def parse_options(options: Sequence[str]) -> dict:
    """``['a.b=1', 'c=[x,y]']`` to ``{'a.b': 1, 'c': ['x', 'y']}``, as MMSeg's ``--cfg-options`` reads them.

    Raises:
        ValueError: If one has no ``=``.
    """
    without = [option for option in options if '=' not in option]
    if without:
        raise ValueError(f'--cfg-options takes key=value pairs, got {" ".join(without)}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options if options else {}


def merge_options(cfg: Config, options: Sequence[str]) -> None:
    """Change a config in place by ``key=value`` strings."""
    if options:
        cfg.merge_from_dict(parse_options(options))
