"""What is wrong with a config and would show late, such as at the first validation or checkpoint: found by reading it."""

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ...evaluation.defect_iou_metric import SUMMARY
from ...utils import UserError
from ...utils.config_tree import walk_values
from ..hooks.whole_checkpoint import WholeCheckpointHook
from ..safe_hooks import SAFE_HOOKS
from .keys import misspelt_keys, old_key_problems
from .sharding import sharding_problems

DEFAULT_HOOKS = (
    *('checkpoint', 'logger', 'param_scheduler', 'runtime_info', 'sampler_seed', 'timer', 'visualization'),
    *SAFE_HOOKS,
)
CHECKPOINT_HOOKS = (CheckpointHook.__name__, WholeCheckpointHook.__name__)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
IOU_METRICS = dict(mIoU=('mIoU',), mDice=('mDice',), mFscore=('mFscore', 'mPrecision', 'mRecall'))
LIKE_A_HOOK = 0.75  # so alike are a slip and the hook that was meant


def check_config(cfg: Config) -> None:
    """Look for what would be passed over in silence, or fail hours later.

    Raises:
        UserError: With every problem, each with its config key.
    """
    problems = [
        *misspelt_keys(cfg.keys()),
        *old_key_problems(cfg),
        *default_hook_problems(cfg.get('default_hooks') or {}),
        *number_problems(cfg._cfg_dict),
        *compile_problems(cfg.get('compile')),
        *loader_problems(cfg),
        *metric_problems(cfg),
        *save_best_problems(cfg),
        *sharding_problems(cfg),
    ]
    if problems:
        raise UserError('the config cannot be trained:\n' + '\n'.join(f'  - {problem}' for problem in problems))


def default_hook_problems(hooks: Mapping[str, Mapping]) -> Iterator[str]:
    """Names that add a second hook where one was to be changed, and options that no checkpoint takes."""
    for name, hook in hooks.items():
        meant = get_close_matches(name, DEFAULT_HOOKS, 1, LIKE_A_HOOK)
        if name not in DEFAULT_HOOKS and meant:
            yield f'default_hooks.{name}: did you mean {meant[0]}? Hooks of your own go into custom_hooks'
        if name in DEFAULT_HOOKS and isinstance(hook, Mapping) and hook.get('type') in CHECKPOINT_HOOKS:
            yield from checkpoint_problems(f'default_hooks.{name}', hook)


def checkpoint_problems(key: str, hook: Mapping) -> Iterator[str]:
    """``CheckpointHook`` hands what it does not know to ``Runner.save_checkpoint``, which refuses it when the first is due."""
    parts = (WholeCheckpointHook, CheckpointHook, Runner.save_checkpoint)
    own = [name for part in parts for name in inspect.signature(part).parameters]
    known = sorted(set(own) - {'self', 'kwargs'})
    for name in hook.keys() - {'type', *known}:
        meant = get_close_matches(name, known, 1)
        yield f'{key}.{name} is no option of CheckpointHook' + (f'; did you mean {meant[0]}?' if meant else '')


def number_problems(node: object) -> Iterator[str]:
    """Weights of losses, momenta, intervals and switches that no training can have."""
    rules = dict(
        loss_weight=(is_weight, 'a finite number of 0 or more'),
        momentum=(lambda value: value is None or (is_weight(value) and value <= 1), 'a number from 0 to 1'),
        val_interval=(is_count, 'a whole number of 1 or more'),
        num_workers=(lambda value: value == 0 or is_count(value), 'a whole number of 0 or more'),
        cache_bytes=(
            lambda value: value == 0 or is_count(value),
            'a number of bytes, such as 4294967296, or 0 for no cache',
        ),
        branch_by_branch=(lambda value: isinstance(value, bool), 'True or False'),  # any text would count as True
    )
    for key, name, value in walk_values(node):
        if name not in rules or isinstance(value, list | tuple | dict):  # several losses may share a list
            continue
        holds, expected = rules[name]
        if not holds(value):
            yield f'{key} must be {expected}, got {value!r}'


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
    """Data sets as lists, as configs of MMSegmentation 0.x had them, and workers that cannot persist."""
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is None:
            continue
        if not isinstance(loader, Mapping):
            yield f'{name} must be dict(batch_size=..., dataset=dict(...)), got a {type(loader).__name__}'
            continue
        if isinstance(loader.get('dataset'), list | tuple):
            yield f"{name}.dataset must be one dict; several sets are dict(type='ConcatDataset', datasets=[...])"
        if loader.get('persistent_workers') and not loader.get('num_workers'):
            yield f'{name}.persistent_workers=True needs num_workers of 1 or more, or set it to False'


def evaluators(cfg: Config) -> list[Mapping]:
    """The configs in ``val_evaluator``, which may be one or a list."""
    found = cfg.get('val_evaluator')
    return [one for one in (found if isinstance(found, list | tuple) else [found]) if isinstance(one, Mapping)]


def metric_problems(cfg: Config) -> Iterator[str]:
    """Metrics that MMSegmentation refuses when the first validation ends."""
    for evaluator in evaluators(cfg):
        metrics = evaluator.get('iou_metrics') or ()
        for metric in [metrics] if isinstance(metrics, str) else metrics:
            if metric not in IOU_METRICS:
                yield f'val_evaluator.iou_metrics: {metric!r} is not known; choose from {", ".join(IOU_METRICS)}'


def known_scores(evaluator: Mapping) -> set[str] | None:
    """The scores of a metric as they are called in the log, but those of classes and branches; None for foreign metrics."""
    metrics = evaluator.get('iou_metrics') or ('mIoU',)
    names = {
        name for metric in ([metrics] if isinstance(metrics, str) else metrics) for name in IOU_METRICS.get(metric, ())
    }
    stock = {'aAcc', 'mAcc', *names}
    kinds = dict(IoUMetric=stock, DefectIoUMetric={*stock, *SUMMARY, 'defective_images', 'defect_free_images'})
    return kinds.get(str(evaluator.get('type')).split('.')[-1])


def save_best_problems(cfg: Config) -> Iterator[str]:
    """A score to choose checkpoints by that no metric gives."""
    wanted = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    scores = [known_scores(evaluator) for evaluator in evaluators(cfg)]
    if wanted in (None, 'auto') or not scores or None in scores:
        return
    known = sorted({name for names in scores for name in names or ()})
    prefixes = [evaluator.get('prefix') for evaluator in evaluators(cfg) if evaluator.get('prefix')]
    for name in wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]:
        plain = str(name)
        for prefix in prefixes:
            plain = plain.removeprefix(f'{prefix}/')
        if plain not in known and not plain.startswith(('IoU.', 'missed.', 'branch_')):
            meant = get_close_matches(plain, known, 1)
            hint = f'did you mean {meant[0]}?' if meant else f'choose from {", ".join(known)}'
            yield f'default_hooks.checkpoint.save_best={name!r} is no score of val_evaluator; {hint}'
