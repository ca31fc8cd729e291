"""Modules that a config names where mmengine takes them from the model after it was built."""

from collections.abc import Iterator, Mapping

from torch import nn

from ...models.segmentors import BaseSemiSegmentor
from ...utils.slips import did_you_mean

KEYS = ('activation_checkpointing', 'efficient_conv_bn_eval')


def module_name_problems(cfg: Mapping, model: nn.Module) -> Iterator[str]:
    """Names of :data:`KEYS` that the model has no module for, with what may be meant."""
    there = [name for name, _ in model.named_modules() if name]
    branches = len(model.branches) if isinstance(model, BaseSemiSegmentor) else 0
    for key in KEYS:
        names = cfg.get(key)
        if names is None:
            continue
        for name in [names] if isinstance(names, str) else names:
            if name not in there:
                of_branches = [own for k in range(branches) if (own := f'branches.{k}.{name}') in there]
                instead = (
                    f'; those of the branches are {", ".join(of_branches)}'
                    if of_branches
                    else did_you_mean(name, there)
                )
                yield f'{key}: the model has no module {name!r}{instead}'
