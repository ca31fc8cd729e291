"""Access to the segmentor and to the hooks of a runner."""

from typing import TypeVar

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

HookType = TypeVar('HookType', bound=Hook)


def unwrapped(model: nn.Module) -> nn.Module:
    """The segmentor inside a wrapper for several processes."""
    return model.module if is_model_wrapper(model) else model


def find_hook(runner: Runner, kind: type[HookType]) -> HookType | None:
    """The first hook of a kind, also among the ``parts`` of composite hooks; None if there is none."""
    for hook in runner.hooks:
        for one in (hook, *getattr(hook, 'parts', ())):
            if isinstance(one, kind):
                return one
    return None
