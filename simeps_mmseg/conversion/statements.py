"""What a semi-supervised config states over the supervised one that it inherits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..datasets.checks.missing_data import evaluation_sets
from ..engine.checks.scores import evaluators, known_scores
from ..evaluation.functional import DECIDING
from ..utils.config_kinds import counts_epochs
from ..utils.config_source import Expression, changed
from .schedule import iteration_based, of_length, steps_of_an_epoch

LAYER_DECAY = ('LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor')


def statements(
    base: Config,
    bases: Sequence[str],
    labeled: Sequence[str],
    unlabeled: str | dict,
    start: Path | None,
    iters: int | None = None,
) -> dict[str, object]:
    """Value by name, in the order of the config.

    Args:
        base: The supervised config.
        bases: Paths of the supervised config and of the method.
        labeled: Lists or folders that the labelled part is restricted to.
        unlabeled: The folder, or the config of a source.
        start: Checkpoint that the branches start from; None: what the supervised config loads, if anything.
        iters: Length of the schedule; None: that of the supervised config.

    Raises:
        UserError: If the labelled part is not what it has to be, or a schedule in epochs cannot be converted.
    """
    own_hooks = '*_base_.custom_hooks, ' if base.get('custom_hooks') else ''
    return {
        '_base_': list(bases),
        **surroundings(base),
        'model': Expression('dict(_delete_=True, branch=_base_.model, **_base_.semi_model)'),
        'custom_hooks': Expression(f'[{own_hooks}*_base_.semi_hooks]' if own_hooks else '_base_.semi_hooks'),
        **(dict(load_from=str(start)) if start else {}),
        **(dict(work_dir=None) if base.get('work_dir') else {}),  # that of the supervised training holds the start
        'train_dataloader': loader(base, labeled, unlabeled),
        **scores(base),
        **optimization(base, iters),
    }


def surroundings(base: Config) -> dict:
    """The import of this package and the scope, where the supervised config has none."""
    imports = (base.get('custom_imports') or {}).get('imports') or []
    imports = [imports] if isinstance(imports, str) else list(imports)
    found = {} if 'simeps_mmseg' in imports else dict(custom_imports=dict(imports=[*imports, 'simeps_mmseg']))
    return found if base.get('default_scope') else dict(found, default_scope='mmseg')


def loader(base: Config, labeled: Sequence[str], unlabeled: str | dict) -> dict:
    """Batches with as many unlabelled images as the supervised config has labelled ones, two at least."""
    number = max(2, base.train_dataloader.get('batch_size', 1))
    own = Expression('_base_.train_dataloader.dataset')
    dataset = dict(_delete_=True, type='LabeledUnlabeledDataset', labeled=own, unlabeled=unlabeled)
    if labeled:
        dataset['labeled_part'] = list(labeled) if len(labeled) > 1 else labeled[0]
    if evaluated := [Expression(f'_base_.{name}.dataset') for name in evaluation_sets(base)]:
        dataset['exclude'] = evaluated
    sampler = dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled=number, num_unlabeled=number)
    own_batches = dict(batch_sampler=None) if base.train_dataloader.get('batch_sampler') else {}
    return dict(batch_size=2 * number, **own_batches, sampler=sampler, dataset=dataset)


def scores(base: Config) -> dict:
    """The same scores and those of each branch, where they are MMSegmentation's own."""

    def with_branches(metric: dict, name: str) -> Expression:
        return changed(name, dict(type='DefectIoUMetric')) if metric.get('type') == 'IoUMetric' else Expression(name)

    def detailed(metric: object, name: str) -> object:
        """A metric, a list of them or an evaluator that has them as ``metrics``; None where nothing changes."""
        if isinstance(metric, dict) and 'metrics' in metric:
            metrics = detailed(metric['metrics'], f'{name}.metrics')
            return metrics and dict(metrics=metrics)
        if isinstance(metric, dict):
            return dict(type='DefectIoUMetric') if metric.get('type') == 'IoUMetric' else None
        metrics = metric if isinstance(metric, list | tuple) else ()
        if not any(one.get('type') == 'IoUMetric' for one in metrics if isinstance(one, dict)):
            return None
        return [with_branches(one, f'{name}[{index}]') for index, one in enumerate(metrics)]

    found = {key: detailed(base.get(key), f'_base_.{key}') for key in ('val_evaluator', 'test_evaluator')}
    return {key: metric for key, metric in found.items() if metric}


def optimization(base: Config, iters: int | None = None) -> dict:
    """What keeps the best weights; learning rates by depth in each branch, and by the number of labelled images; a schedule in
    epochs as one in iterations; another length.
    """
    found: dict[str, Any] = {}
    if (constructor := base.optim_wrapper.get('constructor')) in LAYER_DECAY:
        found['optim_wrapper'] = dict(constructor=f'Branch{constructor}')
    if counts_epochs(base.get('train_cfg') or {}):
        found |= iteration_based(base, steps_of_an_epoch(base.train_dataloader))
    if 'base_batch_size' in (scaling := base.get('auto_scale_lr') or {}):  # mmengine counts the unlabelled images, too
        found['auto_scale_lr'] = dict(base_batch_size=2 * scaling['base_batch_size'])
    if best := best_checkpoint(base):
        found['default_hooks'] = merged(dict(checkpoint=best), found.get('default_hooks') or {})
    return merged(found, of_length(merged(base.to_dict(), found), iters)) if iters else found


def merged(first: dict, second: dict) -> dict:
    """Both, the second before the first, down to what is no dict. As in a config, ``_delete_`` leaves nothing of the first.

    Example:
        >>> merged(dict(a=1, b=dict(c=2, d=3)), dict(b=dict(d=4)))
        {'a': 1, 'b': {'c': 2, 'd': 4}}
    """
    inside = {
        key: merged(first[key], value)
        for key, value in second.items()
        if isinstance(value, dict) and isinstance(first.get(key), dict) and not value.get('_delete_')
    }
    return {**first, **second, **inside}


def best_checkpoint(base: Config) -> dict:
    """Options of the checkpoint hook by which the best weights on validation are kept, where none are and a score is known."""
    hook = (base.get('default_hooks') or {}).get('checkpoint') or {}
    if hook.get('save_best') or not any(
        known_scores(one) and not one.get('prefix') for one in evaluators(base).values()
    ):
        return {}
    interval = (base.get('train_cfg') or {}).get('val_interval', 1000)
    own = {} if hook else dict(type='CheckpointHook', by_epoch=False, interval=interval)
    return dict(save_best=DECIDING[0], **own)
