"""A resumed training with another learning rate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

RATE = 'optim_wrapper.optimizer.lr'


def rate_ratio(before: Mapping[str, str], now: Mapping[str, str]) -> float:
    """What the rate of a config is to that of the one before, from their records; 1 where one of them states none."""
    try:
        was, is_ = float(before[RATE]), float(now[RATE])
    except (KeyError, ValueError):
        return 1.0
    return is_ / was if was > 0 and is_ > 0 else 1.0


def scale_rate(checkpoint: Mapping[str, Any], ratio: float) -> None:
    """Let a training go on at ``ratio`` times its rate, in place: in the optimisers and in the schedules of the rate.

    Each group of parameters keeps its multiple of the rate, and a schedule its position.

    Args:
        checkpoint: As mmengine writes it, of one optimiser or of several by their names.
        ratio: Positive.
    """
    for group in _groups(checkpoint.get('optimizer', {})):
        for key in ('lr', 'initial_lr'):
            if key in group:
                group[key] *= ratio
    for schedule in _schedules(checkpoint.get('param_schedulers', ())):
        if schedule.get('param_name') == 'lr':
            for key in ('base_values', '_last_value'):
                if key in schedule:
                    schedule[key] = [value * ratio for value in schedule[key]]
            if schedule.get('eta_min'):  # where it ends
                schedule['eta_min'] *= ratio


def _groups(state: Mapping[str, Any]) -> Iterator[dict]:
    for one in [state] if 'param_groups' in state else state.values():
        yield from one['param_groups']
        if one.get('base_param_settings'):
            yield one['base_param_settings']


def _schedules(state: Sequence[dict] | Mapping[str, Sequence[dict]]) -> Iterable[dict]:
    return chain.from_iterable(state.values()) if isinstance(state, Mapping) else state
