"""Modules that a config names where mmengine takes them from the model after it was built."""

from collections.abc import Iterator, Mapping

from torch import nn

from ...models.segmentors import BaseSemiSegmentor
from ...utils.slips import did_you_mean

KEYS = ('activation_checkpointing', 'efficient_conv_bn_eval')


def module_name_problems(cfg: Mapping, model: nn.Module) -> Iterator[str]:
    """Names of :data:`KEYS` that the model has no module for, with what may be meant."""
    there = dict(model.named_modules())
    for key in KEYS:
        names = cfg.get(key) or []
        for name in [names] if isinstance(names, str) else names:
            if name not in there:
                yield f'{key}: the model has no module {name!r}{_instead(name, there, isinstance(model, BaseSemiSegmentor))}'


def _instead(name: str, there: Mapping[str, nn.Module], has_branches: bool) -> str:
    of_branches = [f'branches.{k}.{name}' for k in range(len(there)) if f'branches.{k}.{name}' in there]
    if has_branches and of_branches:
        return f'; those of the branches are {", ".join(of_branches)}'
    return did_you_mean(name, there)
