"""A schedule in epochs as the same schedule in iterations, and one in iterations at another length."""

from typing import Any

from mmseg.registry import DATASETS

from ..utils import UserError
from ..utils.config_tree import without_pipelines

# Options of parameter schedulers that count epochs where by_epoch is set.
COUNTED = ('begin', 'end', 'T_max', 'step_size', 'milestones', 'periods', 'total_steps')
FOREVER = int(1e9)  # how mmengine writes "no end"


def steps_of_an_epoch(loader: dict) -> int:
    """Steps of one epoch of a supervised ``train_dataloader``.

    Raises:
        UserError: If its data set cannot be listed.
    """
    try:
        size = len(DATASETS.build(without_pipelines(loader['dataset'])))
    except Exception as error:  # whatever a data set class raises
        raise UserError(
            'the config counts epochs, and how many steps one has is known only with its training set, which cannot be '
            f'listed: {str(error) or type(error).__name__}'
        ) from error
    batch = loader.get('batch_size', 1)
    return max(1, size // batch if loader.get('drop_last') else -(-size // batch))


def iteration_based(cfg: dict, steps: int) -> dict[str, object]:
    """By config key, what turns a schedule in epochs into one in iterations.

    Args:
        cfg: With ``train_cfg`` and, where there are any, ``param_scheduler`` and ``default_hooks``.
        steps: Iterations of an epoch.

    Raises:
        UserError: If a scheduler cannot be converted.

    Example:
        >>> cfg = dict(train_cfg=dict(by_epoch=True, max_epochs=10, val_interval=2))
        >>> iteration_based(cfg, steps=50)['train_cfg']['max_iters']
        500
    """
    loop = cfg['train_cfg']
    train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=loop['max_epochs'] * steps)
    train_cfg['val_interval'] = loop.get('val_interval', 1) * steps
    if loop.get('val_begin', 1) > 1:
        train_cfg['val_begin'] = loop['val_begin'] * steps
    if loop.get('dynamic_intervals'):
        train_cfg['dynamic_intervals'] = [(start * steps, every * steps) for start, every in loop['dynamic_intervals']]
    changes: dict[str, object] = dict(train_cfg=train_cfg)
    if old := cfg.get('param_scheduler'):
        schedulers = old if isinstance(old, (list, tuple)) else [old]
        changes['param_scheduler'] = [scheduler_in_iterations(one, steps) for one in schedulers]
    hooks = cfg.get('default_hooks') or {}
    checkpoint = hooks.get('checkpoint') or {}
    saving = dict(type=checkpoint.get('type', 'CheckpointHook'), by_epoch=False)
    if checkpoint.get('by_epoch', True):
        if checkpoint.get('interval', 1) > 0:
            saving['interval'] = checkpoint.get('interval', 1) * steps
        if checkpoint.get('save_begin'):
            saving['save_begin'] = checkpoint['save_begin'] * steps
    logging = dict(type=(hooks.get('logger') or {}).get('type', 'LoggerHook'), log_metric_by_epoch=False)
    return {**changes, 'default_hooks': dict(checkpoint=saving, logger=logging), 'log_processor': dict(by_epoch=False)}


def scheduler_in_iterations(scheduler: dict, steps: int) -> dict:
    """The same course of a parameter in iterations.

    Example:
        >>> scheduler_in_iterations(dict(type='MultiStepLR', milestones=[8, 11]), steps=100)
        {'type': 'MultiStepLR', 'milestones': [800, 1100], 'by_epoch': False}
    """
    kind = str(scheduler.get('type'))
    # ReduceOnPlateau steps after each validation, whatever the loop.
    if not scheduler.get('by_epoch', True) or kind.startswith('ReduceOnPlateau'):
        return dict(scheduler)
    new = dict(scheduler)
    convert = new.pop('convert_to_iter_based', False)
    if kind.startswith('OneCycle') and not convert and 'total_steps' not in new:
        raise UserError('param_scheduler: OneCycleLR needs total_steps to be counted in iterations')
    return {**stretched(new, steps), 'by_epoch': False}


def of_length(cfg: dict, iters: int) -> dict[str, Any]:
    """By config key, what brings a schedule in iterations to another length: all of it in proportion.

    Args:
        cfg: With ``train_cfg`` and, where there are any, ``param_scheduler`` and ``default_hooks``.
        iters: The new ``max_iters``.

    Raises:
        UserError: If the loop does not say how long it is, or a scheduler would be converted from epochs later.

    Example:
        >>> decay = dict(type='PolyLR', end=20000, by_epoch=False)
        >>> changes = of_length(dict(train_cfg=dict(max_iters=20000, val_interval=2000), param_scheduler=decay), 1200)
        >>> changes['train_cfg'], changes['param_scheduler']
        ({'max_iters': 1200, 'val_interval': 120}, [{'type': 'PolyLR', 'end': 1200, 'by_epoch': False}])
    """
    loop = cfg.get('train_cfg') or {}
    if 'max_iters' not in loop:
        raise UserError('--iters needs train_cfg.max_iters or train_cfg.max_epochs in the supervised config')
    factor = iters / loop['max_iters']
    train_cfg = dict(max_iters=iters, val_interval=_times(loop.get('val_interval', 1000), factor))
    train_cfg.update({key: _times(loop[key], factor) for key in ('val_begin', 'dynamic_intervals') if loop.get(key)})
    changes: dict[str, Any] = dict(train_cfg=train_cfg)
    if old := cfg.get('param_scheduler'):
        schedulers = old if isinstance(old, (list, tuple)) else [old]
        if any(one.get('convert_to_iter_based') for one in schedulers):
            raise UserError(
                '--iters: param_scheduler has convert_to_iter_based in a training by iterations; count iterations'
            )
        changes['param_scheduler'] = [
            dict(one) if one.get('by_epoch', True) else stretched(dict(one), factor) for one in schedulers
        ]
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    saving = {key: _times(checkpoint[key], factor) for key in ('interval', 'save_begin') if checkpoint.get(key, 0) > 0}
    return {**changes, 'default_hooks': dict(checkpoint=saving)} if saving else changes


def stretched(scheduler: dict, factor: float) -> dict:
    """The same course of a parameter over ``factor`` times as many steps. What follows validations stays."""
    kind = str(scheduler.get('type'))
    if kind.startswith('ReduceOnPlateau'):
        return scheduler
    counted = {key: _times(scheduler[key], factor) for key in COUNTED if key in scheduler}
    if 'begin' in counted and 'end' in counted:
        counted['end'] = max(counted['end'], counted['begin'] + 1)
    decay = dict(gamma=scheduler['gamma'] ** (1 / factor)) if kind.startswith('Exponential') else {}
    return {**scheduler, **counted, **decay}


def _times(value: Any, factor: float) -> Any:
    """Counts of steps, times a factor; what is not zero stays so."""
    if isinstance(value, (list, tuple)):
        return [_times(one, factor) for one in value]
    return value if value >= FOREVER or value <= 0 else max(1, round(value * factor))
