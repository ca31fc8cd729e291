"""Moving averages of the branches, which teach them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.model import BaseAveragedModel, ExponentialMovingAverage, MomentumAnnealingEMA
from mmseg.registry import MODELS
from torch import Tensor, nn

from .copying import copy_all


def move_average(average: BaseAveragedModel, network: nn.Module) -> None:
    """``average.update_parameters(network)``, with few launches for the exponential averages instead of one a tensor.

    Args:
        average: Holds its count of updates in host memory.
        network: What it averages.
    """
    momentum = momentum_of(average)
    if momentum is None:
        average.update_parameters(network)
        return
    steps = int(average.steps)
    moved = moved_tensors(average, network)
    if steps == 0:
        copies = [*moved, *copied_tensors(average, network)]
    else:
        copies = [] if average.update_buffers else copied_tensors(average, network)
        floating = [(own, new) for own, new in moved if own.is_floating_point()]
        if steps % average.interval == 0 and floating:
            torch._foreach_lerp_(*_columns(floating), momentum)
    if copies:
        copy_all(*_columns(copies))
    average.steps += 1


def momentum_of(average: BaseAveragedModel) -> float | None:
    """Share of the new values in the next update of an exponential average; None for an average of another kind."""
    if type(average) is MomentumAnnealingEMA:
        return max(average.momentum, average.gamma / (average.gamma + int(average.steps)))
    return average.momentum if type(average) is ExponentialMovingAverage else None


def moved_tensors(average: BaseAveragedModel, network: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """The tensors that are averaged, each with that of the network."""
    source = network.state_dict() if average.update_buffers else dict(network.named_parameters())
    return [(own.data, source[name].data.to(own.device)) for name, own in average.avg_parameters.items()]


def copied_tensors(average: BaseAveragedModel, network: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """The buffers that follow the network as they are, each with the network's; none where they are averaged."""
    if average.update_buffers:
        return []
    return [(own.data, new.data.to(own.device)) for own, new in zip(average.module.buffers(), network.buffers())]


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [own for own, _ in pairs], [new for _, new in pairs]


class Teachers(nn.ModuleList):
    """A moving average of each branch, always in evaluation mode.

    The count of updates (``steps``) of each stays in host memory wherever the weights go. The averages branch on it in
    every step, and on a GPU each look would wait for the device.

    Args:
        average: Config of a moving average, such as ``dict(type='ExponentialMovingAverage', momentum=0.01)``.
        branches: The networks to average.
    """

    def __init__(self, average: dict, branches: Iterable[nn.Module]) -> None:
        super().__init__([MODELS.build({**average, 'model': branch}) for branch in branches])

    @property
    def networks(self) -> list[nn.Module]:
        """The averaged networks."""
        return [average.module for average in self._averages]

    @property
    def _averages(self) -> list[BaseAveragedModel]:
        return list(self)

    def train(self, mode: bool = True) -> 'Teachers':
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def update(self, branches: Iterable[nn.Module], restart: bool = False) -> None:
        """Move each average towards its branch. The first update, and one that restarts, makes it a copy."""
        for teacher, branch in zip(self._averages, branches):
            if restart:
                teacher.steps.zero_()
            move_average(teacher, branch)

    def _apply(self, fn: Callable, *args: Any, **kwargs: Any) -> 'Teachers':
        counts = [teacher.steps for teacher in self._averages]
        super()._apply(fn, *args, **kwargs)
        for teacher, count in zip(self._averages, counts):
            teacher.steps = count
            # mmengine keeps the tensors that it found when it was built. On another device or in another memory format the
            # module has others, and the old ones would be averaged unseen.
            module = teacher.module
            teacher.avg_parameters = module.state_dict() if teacher.update_buffers else dict(module.named_parameters())
        return self
