"""Ways of spreading one network over several processes that a training here cannot take."""

from collections.abc import Iterator, Mapping

from ...utils.config_tree import type_name

WHOLE_WEIGHTS = 'each process has to hold whole weights: teachers, the guard of labels alone and checkpoints read them'
WAITS = (
    "at a checkpoint mmengine's Runner asks the first process for its state, which then waits for the others for ever"
)
INSTEAD = (
    'use data parallelism (--launcher, docs/many_gpus.md), and where memory is short --amp or fewer images per process, '
    'as similarity maps span the images of all'
)


def sharding_problems(cfg: Mapping) -> Iterator[str]:
    """FSDP, DeepSpeed, ColossalAI and ZeRO, each with the reason and what to use.

    Example:
        >>> [problem] = sharding_problems(dict(strategy=dict(type='FSDPStrategy')))
        >>> problem.split(':')[0]
        'strategy.type=FSDPStrategy cannot be used'
    """
    strategy = _kind(cfg.get('strategy'))
    if strategy == 'DDPStrategy':
        yield _refusal('strategy', strategy, 'it starts several processes as --launcher does')
    elif strategy not in ('', 'SingleDeviceStrategy'):
        yield _refusal('strategy', strategy, WHOLE_WEIGHTS)
    wrapper = _kind(cfg.get('model_wrapper_cfg'))
    if 'FullyShardedDataParallel' in wrapper:
        yield _refusal('model_wrapper_cfg', wrapper, WHOLE_WEIGHTS)
    optimizer = _kind((cfg.get('optim_wrapper') or {}).get('optimizer'))
    if optimizer == 'ZeroRedundancyOptimizer':
        yield _refusal('optim_wrapper.optimizer', optimizer, WAITS)


def _kind(node: Mapping | None) -> str:
    return type_name((node or {}).get('type', ''))


def _refusal(key: str, kind: str, reason: str) -> str:
    return f'{key}.type={kind} cannot be used: {reason}; {INSTEAD}'
