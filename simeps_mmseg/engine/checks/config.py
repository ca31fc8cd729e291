"""What is wrong with a config and would show late, such as at the first validation or checkpoint: found by reading it."""

import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner, set_random_seed
from mmseg.registry import HOOKS, RUNNERS

from ...utils.config_kinds import LOADERS, kind_problems
from ...utils.config_tree import walk_values
from ...utils.errors import refuse
from ...utils.slips import did_you_mean
from ..hooks.whole_checkpoint import WholeCheckpointHook
from ..safe_hooks import SAFE_HOOKS, registered
from .keys import misspelt_keys, old_key_problems
from .module_names import unnamed_modules
from .scores import ignore_index_problems, metric_problems, save_best_problems
from .sharding import sharding_problems

DEFAULT_HOOKS = (
    *('checkpoint', 'logger', 'param_scheduler', 'runtime_info', 'sampler_seed', 'timer', 'visualization'),
    *SAFE_HOOKS,
)
CHECKPOINT_HOOKS = (CheckpointHook, WholeCheckpointHook)
TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)
SWITCHES = ('batch_renorm', 'branch_by_branch', 'consistency_on_labeled')  # any text would count as True
LIKE_A_HOOK = 0.75  # so alike are a slip and the hook that was meant


def check_config(cfg: Config) -> None:
    """Look for what would be passed over in silence, or fail hours later.

    Raises:
        UserError: With every problem, each with its config key.
    """
    problems = [*kind_problems(cfg), *model_problems(cfg)] or [
        *group_problems(cfg),
        *old_key_problems(cfg),
        *default_hook_problems(cfg.get('default_hooks') or {}),
        *level_problems(cfg.get('log_level', 'INFO')),
        *runner_problems(cfg.get('runner_type')),
        *unnamed_modules(cfg),
        *number_problems(cfg._cfg_dict),
        *clip_problems(cfg.get('optim_wrapper'), 'optim_wrapper'),
        *seed_problems(cfg.get('randomness')),
        *normalisation_problems(cfg._cfg_dict),
        *schedule_problems(cfg.get('param_scheduler')),
        *compile_problems(cfg.get('compile')),
        *loader_problems(cfg),
        *metric_problems(cfg),
        *ignore_index_problems(cfg),
        *save_best_problems(cfg),
        *sharding_problems(cfg),
    ]
    problems = [*misspelt_keys(cfg.keys()), *problems]
    refuse('the config cannot be trained', problems)


def check_groups(cfg: Config) -> None:
    """Look for parts that belong together, of which some are there, before a runner is built that does not train.

    Raises:
        UserError: With every such group.
    """
    refuse('the config is not whole', group_problems(cfg, trains=False))


def group_problems(cfg: Config, trains: bool = True) -> Iterator[str]:
    """Parts that belong together, of which some are there: the runner refuses them. With ``trains`` nothing to train on."""
    for parts in TOGETHER:
        absent = [name for name in parts if cfg.get(name) is None]
        needs = trains and 'train_cfg' in parts
        if absent and (len(absent) < len(parts) or needs):
            needed = 'a training needs' if needs else 'a config has all or none of'
            yield f'{" and ".join(absent)} {"is" if len(absent) == 1 else "are"} not there: {needed} {", ".join(parts)}'


def model_problems(cfg: Config) -> Iterator[str]:
    """No model, or one that does not say what it is."""
    if 'model' not in cfg:
        yield 'model is not there: a training needs model=dict(type=...)'
    elif isinstance(cfg.model, Mapping) and 'type' not in cfg.model:
        yield f'model must be dict(type=...), got one with {", ".join(cfg.model) or "nothing"}'


def level_problems(level: object) -> Iterator[str]:
    """A level that the logger does not know."""
    if not isinstance(level, int) and not isinstance(logging.getLevelName(str(level)), int):
        yield f"log_level must be a level of Python's logging, such as 'INFO', got {level!r}"


def runner_problems(kind: str | None) -> Iterator[str]:
    """A runner that nobody has registered."""
    if kind is not None and registered(kind, RUNNERS) is None:
        yield f'runner_type: there is no runner {kind!r}; leave it out for that of mmengine, or import yours (custom_imports)'


def default_hook_problems(hooks: Mapping[str, Mapping | None]) -> Iterator[str]:
    """Names that add a second hook where one was to be changed, and options that no checkpoint takes."""
    for name, hook in hooks.items():
        key = f'default_hooks.{name}'
        interval = (hook or {}).get('interval')
        if interval is not None and (isinstance(interval, bool) or not isinstance(interval, int)):
            yield f'{key}.interval must be a whole number of 1 or more, got {interval!r}; 0 or less stands for never'
        elif hook and hook.get('draw') and interval == 0:  # SegVisualizationHook divides by it
            yield f'{key}.interval must be a whole number of 1 or more where draw=True, got 0'
        meant = get_close_matches(name, DEFAULT_HOOKS, 1, LIKE_A_HOOK)
        if name not in DEFAULT_HOOKS and meant:
            yield f'{key}: did you mean {meant[0]}? Hooks of your own go into custom_hooks'
        elif hook is not None and 'type' not in hook:
            yield f'{key} must be dict(type=...), or None for no such hook, got {dict(hook)}'
        elif hook and name in DEFAULT_HOOKS and registered(hook['type'], HOOKS) in CHECKPOINT_HOOKS:
            yield from checkpoint_problems(key, hook)


def checkpoint_problems(key: str, hook: Mapping) -> Iterator[str]:
    """``CheckpointHook`` hands what it does not know to ``Runner.save_checkpoint``, which refuses it when the first is due."""
    parts = (WholeCheckpointHook, CheckpointHook, Runner.save_checkpoint)
    own = [name for part in parts for name in inspect.signature(part).parameters]
    known = sorted(set(own) - {'self', 'kwargs'})
    if hook.get('out_dir') is not None:
        yield (
            f'{key}.out_dir={hook["out_dir"]!r}: checkpoints lie in the work folder, where --resume and what keeps trainings '
            'apart look for them; set work_dir (or --work-dir), and copy what is to be elsewhere'
        )
    for name in hook.keys() - {'type', *known}:
        yield f'{key}.{name} is no option of CheckpointHook{did_you_mean(name, known)}'


def number_problems(node: object) -> Iterator[str]:
    """Weights of losses, momenta, intervals and switches that no training can have."""
    rules = dict(
        loss_weight=(is_weight, 'a finite number of 0 or more'),
        momentum=(lambda value: value is None or (is_weight(value) and value <= 1), 'a number from 0 to 1'),
        val_interval=(is_count, 'a whole number of 1 or more'),
        batch_size=(is_count, 'a whole number of 1 or more'),
        num_workers=(lambda value: value == 0 or is_count(value), 'a whole number of 0 or more'),
        cache_bytes=(
            lambda value: value == 0 or is_count(value),
            'a number of bytes, such as 4294967296, or 0 for no cache',
        ),
        **dict.fromkeys(SWITCHES, (lambda value: isinstance(value, bool), 'True or False')),
    )
    for key, name, value in walk_values(node):
        if name not in rules or isinstance(value, list | tuple | dict):  # several losses may share a list
            continue
        holds, expected = rules[name]
        if not holds(value):
            yield f'{key} must be {expected}, got {value!r}'


def schedule_problems(node: object) -> Iterator[str]:
    """Numbers of schedules that are none, which show when the rate is first changed."""
    for key, name, value in walk_values(node, 'param_scheduler'):
        if name in ('end_factor', 'eta_min', 'gamma', 'power', 'start_factor') and not (
            value is None or is_weight(value)
        ):
            yield f'{key} must be a finite number of 0 or more, got {value!r}'


def normalisation_problems(node: object) -> Iterator[str]:
    """Deviations that images cannot be divided by, in what normalises them."""
    for key, name, value in walk_values(node):
        if name == 'std' and isinstance(value, list | tuple) and not all(is_weight(one) and one for one in value):
            yield f'{key} must be finite numbers above 0, got {list(value)}'


def compile_problems(value: object) -> Iterator[str]:
    """What mmengine asserts of ``compile`` when the first step is due."""
    if not (value is None or isinstance(value, bool | Mapping)):
        yield f'compile must be True, False or a dict of options of torch.compile, got {value!r}'


def is_weight(value: object) -> bool:
    """Whether a value is a finite number that is not negative."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def is_count(value: object) -> bool:
    """Whether a value is a whole number of 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def loader_problems(cfg: Config) -> Iterator[str]:
    """Loaders without a data set, and workers that cannot persist."""
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is None:
            continue
        if loader.get('dataset') is None:
            yield f'{name}.dataset must be dict(type=...), got None'
        if loader.get('persistent_workers') and not loader.get('num_workers'):
            yield f'{name}.persistent_workers=True needs num_workers of 1 or more, or set it to False'


def clip_problems(node: object, path: str) -> Iterator[str]:
    """What PyTorch refuses of ``clip_grad`` when the first step is due, or what turns gradients round."""
    functions: dict[str, Callable[..., object]] = {
        'norm': torch.nn.utils.clip_grad_norm_,
        'value': torch.nn.utils.clip_grad_value_,
    }
    for key, name, value in walk_values(node, path):
        if name != 'clip_grad' or not isinstance(value, Mapping):
            continue
        function = functions.get(str(value.get('type', 'norm')))
        if function is None:
            yield f'{key}.type must be one of {", ".join(functions)}, got {value["type"]!r}'
            continue
        limit, *others = [each for each in inspect.signature(function).parameters if each != 'parameters']
        for option in value.keys() - {'type', limit, *others}:
            yield f'{key}.{option} is no option of {function.__name__}; it has {", ".join([limit, *others])}'
        if not (is_weight(value.get(limit)) and value[limit]):
            yield f'{key}.{limit} must be a finite number above 0, got {value.get(limit)!r}'


def seed_problems(randomness: object) -> Iterator[str]:
    """Options of ``randomness`` that mmengine does not have, and seeds that NumPy does not take."""
    if not isinstance(randomness, Mapping):
        if randomness is not None:
            yield f'randomness must be dict(seed=...), got {randomness!r}'
        return
    known = inspect.signature(set_random_seed).parameters
    for name in randomness.keys() - known:
        yield f'randomness.{name} is no option; it has {", ".join(known)}'
    seed = randomness.get('seed')
    if seed is not None and not ((seed == 0 or is_count(seed)) and seed < 2**32):
        yield f'randomness.seed must be a whole number from 0 to 4294967295, or None, got {seed!r}'
