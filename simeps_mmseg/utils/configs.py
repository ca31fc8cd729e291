"""Read configs and change them from the command line."""

import argparse
import copy
import inspect
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.logging import print_log
from mmengine.runner import Runner

from .config_kinds import check_kinds
from .config_tree import has_key, walk_dicts, walk_values
from .errors import UserError
from .paths import find_config, hint_for_percentages, shipped_folder
from .processes import is_first_process

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


def read_config(file: str | Path) -> Config:
    """Read a config file that is there.

    Raises:
        UserError: If it or one of its bases cannot be read.
    """
    with missing_imports_named(file):
        try:
            return Config.fromfile(file)
        except ImportError:
            raise
        except Exception as error:  # configs are programs, which may raise anything
            problem = f'{type(error).__name__}: {str(error)[:300]}'
            raise UserError(f'config {file} cannot be read: {problem}{hint_for_bases(problem)}') from error


@contextmanager
def missing_imports_named(file: str | Path) -> Iterator[None]:
    """Say what a config imports and is not there, in place of mmengine's error, which names the folders that it looked in."""
    try:
        yield
    except ImportError as error:
        cause = error
        while isinstance(earlier := cause.__cause__ or cause.__context__, ImportError):
            cause = earlier
        advice = 'Install the package, or put the folder of a module of your own on PYTHONPATH'
        is_missing = isinstance(cause, ModuleNotFoundError)
        raise UserError(
            f'config {file} cannot be read: an import fails: {cause}{f". {advice}" if is_missing else ""}'
        ) from error


def load_config(
    path: str | Path, options: Sequence[str] = (), work_dir: str | None = None, launcher: str = 'none'
) -> Config:
    """Read a config, apply ``key=value`` options, settle the work folder: argument, config, default.

    Raises:
        UserError: If the file or one of its bases is not there or cannot be read, an option has no ``=``, or a part of the
            config is no dict, list or text where it has to be one.
    """
    file = find_config(path)
    cfg = read_config(file)
    cfg.launcher = launcher
    with missing_imports_named(file):  # a config in pure Python imports when it is looked into
        merge_options(cfg, options)
        check_kinds(cfg)
    check_class_weight_files(cfg)
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(default_work_dir(file))
    return cfg


def check_class_weight_files(cfg: Config) -> None:
    """Raise ``UserError`` if class weights are to be unpickled, which MMSegmentation would do and which may run any code."""
    for key, name, value in walk_values(cfg._cfg_dict):
        if name == 'class_weight' and isinstance(value, str) and value.lower().endswith(('.pkl', '.pickle')):
            raise UserError(
                f'{key}={value}: pickled files are not opened; write the numbers there, or a .npy or .json file'
            )


def hint_for_bases(problem: str) -> str:
    """What to write in a config that asks its bases for what they do not have; empty for other problems.

    Example:
        >>> hint_for_bases("AttributeError: 'ConfigDict' object has no attribute 'cps_hooks'")
        '. Every file of configs/_base_/semi names semi_model and semi_hooks: write model = dict(_delete_=True, \
branch=_base_.model, **_base_.semi_model) and custom_hooks = _base_.semi_hooks'
    """
    if "no attribute 'unlabeled_dataset'" in problem:
        return (
            '. The data set makes the unlabelled part itself. Over _base_/datasets/semi_<set>.py leave train_dataloader out; '
            'over a config with labels only write train_dataloader = dict(batch_size=..., sampler=dict(_delete_=True, '
            "type='LabeledUnlabeledSampler', num_labeled=..., num_unlabeled=...), dataset=dict(_delete_=True, "
            "type='LabeledUnlabeledDataset', labeled=_base_.train_dataloader.dataset, unlabeled=FOLDER))"
        )
    if absent := re.search(r'[\w/\\.-]+\.py', problem if 'FileNotFoundError' in problem else ''):
        return hint_for_percentages(absent[0])
    missing = re.search(r"no attribute '(\w+?)(_hooks)?'", problem)
    methods = {file.stem for file in (shipped_folder('configs') / '_base_/semi').glob('*.py')}
    if not missing or missing[1] not in methods:
        return ''
    return (
        '. Every file of configs/_base_/semi names semi_model and semi_hooks: write model = dict(_delete_=True, '
        'branch=_base_.model, **_base_.semi_model) and custom_hooks = _base_.semi_hooks'
    )


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
        if is_first_process(cfg):
            for warning in warnings:
                print_log(warning, 'current', logging.WARNING)


def test_pipeline(cfg: Config, split: str = 'test') -> list[dict]:
    """The transforms of the test or ``'val'`` set, or where there is no such set ``test_pipeline``, or those of the other.

    Raises:
        UserError: If there is none of them.
    """

    def of_set(name: str) -> list[dict]:
        nodes = walk_dicts((cfg.get(f'{name}_dataloader') or {}).get('dataset') or {})
        return next((list(node['pipeline']) for _, node in nodes if node.get('pipeline')), [])

    other = 'val' if split == 'test' else 'test'
    found = of_set(split) or list(cfg.get('test_pipeline') or []) or of_set(other)
    if not found:
        raise UserError(
            f'the config has neither {split}_dataloader.dataset.pipeline nor test_pipeline nor '
            f'{other}_dataloader.dataset.pipeline'
        )
    return copy.deepcopy(found)
