"""Moving averages of the branches, which teach them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmseg.registry import MODELS
from torch import nn


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
        return [teacher.module for teacher in self]

    def train(self, mode: bool = True) -> 'Teachers':
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def update(self, branches: Iterable[nn.Module], restart: bool = False) -> None:
        """Move each average towards its branch. The first update, and one that restarts, makes it a copy."""
        for teacher, branch in zip(self, branches):
            if restart:
                teacher.steps.zero_()
            teacher.update_parameters(branch)

    def _apply(self, fn: Callable, *args: Any, **kwargs: Any) -> 'Teachers':
        counts = [teacher.steps for teacher in self]
        super()._apply(fn, *args, **kwargs)
        for teacher, count in zip(self, counts):
            teacher.steps = count
            # mmengine keeps the tensors that it found when it was built. On another device or in another memory format the
            # module has others, and the old ones would be averaged unseen.
            module = teacher.module
            teacher.avg_parameters = module.state_dict() if teacher.update_buffers else dict(module.named_parameters())
        return self
