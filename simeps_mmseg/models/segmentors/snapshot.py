"""A network as it was a while ago."""

import copy

import torch
from mmseg.registry import MODELS
from torch import nn

from ...utils import UserError


@MODELS.register_module()
class Snapshot(nn.Module):
    """A copy of a network that is taken anew every ``interval`` updates and stays as it is in between.

    Args:
        model: The network.
        interval: Updates from one copy to the next.

    Raises:
        UserError: If the interval is not positive.
    """

    def __init__(self, model: nn.Module, interval: int = 500) -> None:
        super().__init__()
        if interval < 1:
            raise UserError(f'Snapshot.interval must be 1 or more, got {interval}')
        self.module = copy.deepcopy(model).requires_grad_(False)
        self.interval = interval
        self.register_buffer('steps', torch.tensor(0))

    @property
    def taken(self) -> bool:
        """Whether there is a copy of a network that was trained for ``interval`` steps; before that of one at its start."""
        return int(self.steps) > self.interval

    def update_parameters(self, model: nn.Module) -> None:
        """Count a step of ``model``, and copy weights and running statistics when it is time."""
        if int(self.steps) % self.interval == 0:
            self.module.load_state_dict(model.state_dict())
        self.steps += 1
