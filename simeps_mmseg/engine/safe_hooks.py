"""What sees to it that an interruption costs nothing, for configs that do not inherit it from ``default_runtime.py``."""

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.registry import Registry
from mmengine.visualization import LocalVisBackend
from mmseg.registry import HOOKS, VISBACKENDS

from ..utils.config_kinds import counts_epochs

# By their key in default_hooks.
SAFE_HOOKS = dict(
    random_streams='RandomStreamsHook',
    missed_validation='MissedValidationHook',
    resume_check='ResumeCheckHook',
    stop_signals='StopSignalHook',
    non_finite='NonFiniteHook',
    sync_statistics='SyncStatisticsHook',
)


def add_safe_hooks(cfg: Config) -> None:
    """Put in what is not there, and this package's writers of checkpoints and logs in the place of mmengine's, in place.

    A key that the config sets to None stays out.
    """
    if cfg.get('default_hooks') is None:
        cfg.default_hooks = {}
    hooks = cfg.default_hooks
    for key, kind in SAFE_HOOKS.items():
        if key not in hooks:
            hooks[key] = dict(type=kind)
        elif hooks[key] is None:  # mmengine knows None for its own hooks only
            hooks.pop(key)
    if 'checkpoint' not in hooks:
        hooks['checkpoint'] = dict(type='CheckpointHook')  # as the runner does
    checkpoint = hooks['checkpoint']
    if checkpoint and registered(checkpoint.get('type'), HOOKS) is CheckpointHook:
        checkpoint['type'] = 'WholeCheckpointHook'
    write_valid_json(cfg)


def write_valid_json(cfg: Config) -> None:
    """Have logs and records of scores be JSON that every reader takes, in place."""
    if cfg.get('default_hooks') is None:
        cfg.default_hooks = {}
    if 'logger' not in cfg.default_hooks:
        cfg.default_hooks['logger'] = dict(type='LoggerHook')
    logger = cfg.default_hooks['logger']
    if logger and registered(logger.get('type'), HOOKS) is LoggerHook:
        logger['type'] = 'ValidJsonLoggerHook'
        if not counts_epochs(cfg.get('train_cfg') or {}):  # mmengine would log each validation as of step 0
            logger.setdefault('log_metric_by_epoch', False)
    backends = [*(cfg.get('vis_backends') or []), *((cfg.get('visualizer') or {}).get('vis_backends') or [])]
    for backend in backends:
        if registered(backend.get('type'), VISBACKENDS) is LocalVisBackend:
            backend['type'] = 'ValidJsonVisBackend'


def registered(kind: object, registry: Registry) -> object:
    """The class that a config's ``type`` stands for in a registry, which another package may have under the same name too.

    None where there is none.
    """
    if not isinstance(kind, str):
        return kind
    try:
        return registry.get(kind)
    except Exception:  # of what it tries to import; the runner will say so
        return None
