"""Modules that a config names where mmengine takes them from the model after it was built."""

from collections.abc import Iterator, Mapping

from torch import nn

from ...models.segmentors import BaseSemiSegmentor
from ...models.utils.batch_norm import batch_norms
from ...utils.slips import did_you_mean

RUN_AGAIN = 'activation_checkpointing'
KEYS = (RUN_AGAIN, 'efficient_conv_bn_eval')


def unnamed_modules(cfg: Mapping) -> Iterator[str]:
    """Modules that are given by something else than their name."""
    for key in KEYS:
        if not all(isinstance(name, str) for name in _names(cfg, key)):
            yield f'{key} must be the name of a module of the model or a list of such, got {cfg.get(key)!r}'


def module_name_problems(cfg: Mapping, model: nn.Module) -> Iterator[str]:
    """Names that the model has no module for, with what may be meant, and modules that would not run again as they ran."""
    there = {name: module for name, module in model.named_modules() if name}
    branches = len(model.branches) if isinstance(model, BaseSemiSegmentor) else 0
    for key in KEYS:
        for name in _names(cfg, key):
            if name not in there:
                of_branches = [own for k in range(branches) if (own := f'branches.{k}.{name}') in there]
                those = f'; those of the branches are {", ".join(of_branches)}'
                yield f'{key}: the model has no module {name!r}{those if of_branches else did_you_mean(name, there)}'
            elif key == RUN_AGAIN and getattr(model, 'views_at_inference', False) and batch_norms(there[name]):
                yield (
                    f'{key}: {name!r} holds batch norm, which would run again with other statistics than on the unlabelled '
                    'images before; model.branch_by_branch=True saves memory without that'
                )


def _names(cfg: Mapping, key: str) -> list:
    """One or several, as a list; none where there is no such key."""
    names = cfg.get(key)
    return [] if names is None else list(names) if isinstance(names, list | tuple) else [names]
