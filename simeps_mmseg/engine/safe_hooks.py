"""What sees to it that an interruption costs nothing, for configs that do not inherit it from ``default_runtime.py``."""

from mmengine.config import Config

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
    hooks = cfg.setdefault('default_hooks', {})
    for key, kind in SAFE_HOOKS.items():
        if key not in hooks:
            hooks[key] = dict(type=kind)
        elif hooks[key] is None:  # mmengine knows None for its own hooks only
            hooks.pop(key)
    checkpoint = hooks.get('checkpoint')
    if checkpoint and checkpoint.get('type') == 'CheckpointHook':
        checkpoint['type'] = 'WholeCheckpointHook'
    backends = [*(cfg.get('vis_backends') or []), *((cfg.get('visualizer') or {}).get('vis_backends') or [])]
    for backend in backends:
        if backend.get('type') == 'LocalVisBackend':
            backend['type'] = 'ValidJsonVisBackend'
