"""Access to the segmentor, to its average and to the hooks and files of a runner."""

from pathlib import Path
from typing import TypeVar, cast

from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmseg.models import BaseSegmentor
from torch import Tensor, nn

from ...utils import UserError
from ..resume import name_template, newest_whole

HookType = TypeVar('HookType', bound=Hook)


def unwrapped(model: nn.Module) -> BaseSegmentor:
    """The segmentor inside a wrapper for several processes."""
    return cast(BaseSegmentor, model.module) if is_model_wrapper(model) else model


def find_hook(runner: Runner, kind: type[HookType]) -> HookType | None:
    """The first hook of a kind, also among the ``parts`` of composite hooks; None if there is none."""
    for hook in runner.hooks:
        for one in (hook, *getattr(hook, 'parts', ())):
            if isinstance(one, kind):
                return one
    return None


def optim_wrappers(runner: Runner) -> list[OptimWrapper]:
    """The optimisers of a training: one, or several by their names."""
    found = runner.optim_wrapper
    return list(found.values()) if isinstance(found, OptimWrapperDict) else [found]


def learned_networks(runner: Runner) -> dict[str, nn.Module]:
    """What has learned weights, by its key in checkpoints of mmengine: the model, and with ``EMAHook`` its average."""
    networks = dict(state_dict=unwrapped(runner.model))
    average = find_hook(runner, EMAHook)
    return networks if average is None else dict(networks, ema_state_dict=average.ema_model)


def validated_state(runner: Runner) -> dict[str, Tensor]:
    """The weights that validations look at: with ``EMAHook`` the average."""
    average = find_hook(runner, EMAHook)
    return (unwrapped(runner.model) if average is None else average.ema_model.module).state_dict()


def newest_checkpoint(runner: Runner) -> Path | None:
    """The checkpoint that ``--resume`` would take; None if there is none."""
    try:
        return newest_whole(runner.work_dir, name_template(runner.cfg)).path
    except UserError:
        return None
