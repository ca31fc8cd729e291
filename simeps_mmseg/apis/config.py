"""Read configs and change them from the command line."""

import argparse
import inspect
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..utils import UserError
from ..utils.configs import read_config
from ..utils.paths import find_config, shipped_folder
from .data import leave_out_evaluation_images

# What mmengine's runner and MMSegmentation's tools read from a config.
PARTS_OF_A_RUN = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    *(
        'activation_checkpointing',
        'compile',
        'efficient_conv_bn_eval',
        'find_unused_parameters',
        'init_weights_for_test_or_val',
    ),
    *('model_wrapper_cfg', 'runner_type', 'strategy', 'sync_bn', 'test_pipeline', 'tta_model', 'tta_pipeline'),
}

UNKNOWN_ARGUMENT = re.compile(r"__init__\(\) got an unexpected keyword argument '(?P<key>\w+)'")
UNKNOWN_TYPE = re.compile(r'(?P<type>\S+) is not in the \S+ registry')


def load_config(
    path: str | Path, options: Sequence[str] = (), work_dir: str | None = None, launcher: str = 'none'
) -> Config:
    """Read a config, apply ``key=value`` options, settle the work folder: argument, config, default.

    Raises:
        UserError: If the file or one of its bases is not there or cannot be read, or an option has no ``=``.
    """
    file = find_config(path)
    cfg = read_config(file)
    merge_options(cfg, options)
    leave_out_evaluation_images(cfg)
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


def doubtful_options(cfg: Config, changes: Iterable[str]) -> Iterator[str]:
    """A sentence for each dotted key that is likely to be misspelt.

    Example:
        >>> list(doubtful_options(Config(dict(train_cfg=dict(max_iters=9))), ['train_cfg.max_iters']))
        []
        >>> list(doubtful_options(Config(dict(train_cfg=dict(max_iters=9))), ['train_cfg.max_iter']))
        ['--cfg-options: train_cfg.max_iter is not in the config yet; it is added']
    """
    for key in changes:
        top, *rest = key.split('.')
        if top not in PARTS_OF_A_RUN:
            yield (
                f'--cfg-options: {top} is no part of a run (a variable inside the config, or misspelt), so {key} '
                'probably changes nothing; change what is made of it, such as train_dataloader.dataset.unlabeled'
            )
        elif not has_key(cfg._cfg_dict, [top, *rest]):
            yield f'--cfg-options: {key} is not in the config yet; it is added'


def has_key(node: object, names: Sequence[str]) -> bool:
    """Whether nested dicts and lists have something (be it None) under a path of names and indices."""
    if not names:
        return True
    name, *rest = names
    if isinstance(node, dict):
        return name in node and has_key(node[name], rest)
    return isinstance(node, list) and name.isdecimal() and int(name) < len(node) and has_key(node[int(name)], rest)


def merge_options(cfg: Config, options: Sequence[str]) -> None:
    """Change a config in place by ``key=value`` strings; say which of them change nothing or are new to it."""
    if options:
        changes = parse_options(options)
        warnings = list(doubtful_options(cfg, changes))
        try:
            cfg.merge_from_dict(changes)
        except (KeyError, TypeError, IndexError, AttributeError) as error:  # a path that the config does not have
            raise UserError(
                f'--cfg-options {" ".join(options)}: the config has no such place ({str(error)[:160]})'
            ) from error
        if int(os.environ.get('RANK', 0)) == 0:
            for warning in warnings:
                print_log(warning, 'current', logging.WARNING)


@contextmanager
def config_keys_named(cfg: Config) -> Iterator[None]:
    """Turn what is raised while a config is built, of a ``type`` or an argument that is not there, into an error that names
    its keys.

    Raises:
        UserError: In place of the ``TypeError`` or ``KeyError``, where the config has what it speaks of.
    """
    try:
        yield
    except (TypeError, KeyError) as error:
        message = str(error.args[0]) if error.args else ''
        found = keys_of(cfg._cfg_dict, message)
        if not found:
            raise
        raise UserError(f'the config cannot be built: {" or ".join(found)}: {message.split(". ")[0]}') from error


def keys_of(node: object, message: str) -> list[str]:
    """The dotted keys that an error message of a registry or a constructor speaks of.

    Example:
        >>> cfg = dict(model=dict(type='FCM', dept=3))
        >>> keys_of(cfg, 'FCM is not in the mmseg::model registry. Please check')
        ['model.type']
        >>> keys_of(cfg, "FCN.__init__() got an unexpected keyword argument 'dept'")
        ['model.dept']
    """
    argument, kind = UNKNOWN_ARGUMENT.search(message), UNKNOWN_TYPE.search(message)
    if argument:
        return [path for path, name, _ in leaves_and_branches(node) if name == argument['key']]
    if kind:
        return [path for path, name, value in leaves_and_branches(node) if (name, value) == ('type', kind['type'])]
    return []


def leaves_and_branches(node: object, prefix: str = '') -> Iterator[tuple[str, str, object]]:
    """Dotted key, last part of it and value of everything inside nested dicts and lists."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for name, value in items:
        path = f'{prefix}.{name}' if prefix else str(name)
        yield path, str(name), value
        yield from leaves_and_branches(value, path)
