"""A schedule in epochs as the same schedule in iterations."""

from dataclasses import dataclass, field

from ..utils import UserError

# Options of parameter schedulers that count epochs where by_epoch is set.
COUNTED = ('begin', 'end', 'T_max', 'step_size', 'milestones', 'periods', 'total_steps')
FOREVER = int(1e9)  # how mmengine writes "no end"


@dataclass
class EpochSchedule:
    """The result of a conversion.

    Attributes:
        epochs: Of the schedule in epochs.
        steps: Iterations of an epoch.
        max_iters: ``epochs * steps``.
        changes: By config key, what replaces or changes the old values.
    """

    epochs: int
    steps: int
    max_iters: int
    changes: dict[str, object] = field(default_factory=dict)

    @staticmethod
    def counts_epochs(train_cfg: dict) -> bool:
        """Whether a ``train_cfg`` counts epochs, as mmengine reads it."""
        kind = train_cfg.get('type')
        return kind == 'EpochBasedTrainLoop' or (
            kind is None and train_cfg.get('by_epoch', True) and 'max_epochs' in train_cfg
        )


def iteration_based(cfg: dict, steps: int) -> EpochSchedule:
    """The schedule of a config that counts epochs, in iterations.

    Args:
        cfg: With ``train_cfg`` and, where there are any, ``param_scheduler``, ``default_hooks`` and ``log_processor``.
        steps: Iterations of an epoch.

    Returns:
        What to change in the config.

    Raises:
        UserError: If a scheduler cannot be converted.

    Example:
        >>> cfg = dict(train_cfg=dict(by_epoch=True, max_epochs=10, val_interval=2))
        >>> iteration_based(cfg, steps=50).changes['train_cfg']['max_iters']
        500
    """
    loop = cfg['train_cfg']
    epochs = loop['max_epochs']
    schedule = EpochSchedule(epochs, steps, epochs * steps)
    train_cfg = dict(
        _delete_=True,
        type='IterBasedTrainLoop',
        max_iters=epochs * steps,
        val_interval=loop.get('val_interval', 1) * steps,
    )
    if loop.get('val_begin', 1) > 1:
        train_cfg['val_begin'] = loop['val_begin'] * steps
    if loop.get('dynamic_intervals'):
        train_cfg['dynamic_intervals'] = [(start * steps, every * steps) for start, every in loop['dynamic_intervals']]
    schedule.changes['train_cfg'] = train_cfg
    if cfg.get('param_scheduler'):
        old = cfg['param_scheduler']
        schedule.changes['param_scheduler'] = [
            scheduler_in_iterations(one, steps) for one in (old if isinstance(old, (list, tuple)) else [old])
        ]
    schedule.changes['default_hooks'] = _hooks(cfg.get('default_hooks') or {}, steps)
    schedule.changes['log_processor'] = dict(by_epoch=False)
    return schedule


def scheduler_in_iterations(scheduler: dict, steps: int) -> dict:
    """The same course of a parameter in iterations.

    Example:
        >>> scheduler_in_iterations(dict(type='MultiStepLR', milestones=[8, 11]), steps=100)
        {'type': 'MultiStepLR', 'milestones': [800, 1100], 'by_epoch': False}
    """
    new = dict(scheduler)
    kind = new.get('type')
    convert = new.pop('convert_to_iter_based', False)
    if not new.get('by_epoch', True):
        return dict(scheduler)
    if str(kind).startswith('ReduceOnPlateau'):
        return dict(scheduler)  # steps after each validation, whatever the loop
    if str(kind).startswith('OneCycle') and not convert and 'total_steps' not in new:
        raise UserError('param_scheduler: OneCycleLR needs total_steps to be counted in iterations')
    for key in COUNTED:
        if key in new:
            new[key] = _times(new[key], steps)
    if str(kind).startswith('Exponential'):
        new['gamma'] = new['gamma'] ** (1 / steps)
    new['by_epoch'] = False
    return new


def _times(value, steps: int):
    if isinstance(value, (list, tuple)):
        return [_times(one, steps) for one in value]
    return value if value >= FOREVER else value * steps


def _hooks(hooks: dict, steps: int) -> dict:
    """Checkpoints at the same moments, logs by iteration."""
    checkpoint = dict(hooks.get('checkpoint') or dict(type='CheckpointHook'))
    changes = dict(type=checkpoint['type'], by_epoch=False)
    if checkpoint.get('by_epoch', True) and checkpoint.get('interval', 1) > 0:
        changes['interval'] = checkpoint.get('interval', 1) * steps
    logger = (hooks.get('logger') or {}).get('type', 'LoggerHook')
    return dict(checkpoint=changes, logger=dict(type=logger, log_metric_by_epoch=False))
