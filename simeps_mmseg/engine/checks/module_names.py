"""Modules that a config names where mmengine takes them from the model after it was built."""

from collections.abc import Iterator, Mapping

from torch import nn

from ...models.segmentors import BaseSemiSegmentor
from ...models.utils.gradient_checkpoints import without_running_again
from ...utils.slips import did_you_mean

RUN_AGAIN = 'activation_checkpointing'
KEYS = (RUN_AGAIN, 'efficient_conv_bn_eval')


def unnamed_modules(cfg: Mapping) -> Iterator[str]:
    """Modules that are given by something else than their name."""
    for key in KEYS:
        if not all(isinstance(name, str) for name in _names(cfg, key)):
            yield f'{key} must be the name of a module of the model or a list of such, got {cfg.get(key)!r}'


def module_name_problems(cfg: Mapping, model: nn.Module) -> Iterator[str]:
    """Names that the model has no module for, with what may be meant, and, with branches, modules that would run again.

    mmengine lets a module run again by PyTorch's older, reentrant way: gradients come through only where an argument is a
    tensor that needs one, so neither to what takes images nor to heads, which take a list. Batch norm's statistics move twice.
    """
    there = [name for name, _ in model.named_modules() if name]
    branches = len(model.branches) if isinstance(model, BaseSemiSegmentor) else 0
    for key in KEYS:
        for name in _names(cfg, key):
            if name not in there:
                of_branches = [own for k in range(branches) if (own := f'branches.{k}.{name}') in there]
                those = f'; those of the branches are {", ".join(of_branches)}'
                yield f'{key}: the model has no module {name!r}{those if of_branches else did_you_mean(name, there)}'
            elif key == RUN_AGAIN and isinstance(model, BaseSemiSegmentor):
                yield (
                    f'{key}: {name!r} would learn nothing from images or lists of features, and move its batch norm twice; '
                    f'{without_running_again(model)}'
                )


def _names(cfg: Mapping, key: str) -> list:
    """One or several, as a list; none where there is no such key."""
    names = cfg.get(key)
    return [] if names is None else list(names) if isinstance(names, list | tuple) else [names]
