"""How much the losses on what labels do not say weigh in a step."""

import logging

from mmengine.logging import print_log
from torch import Tensor

from ..losses.utils import ConsistencyLoss


class ConsistencyWeights:
    """Mixin: the ramp and the scale on the losses on what labels do not say; hooks set both.

    Attributes:
        rampup: Factor, in [0, 1], on the losses that declare ``ramp=True``.
        consistency_scale: Factor on all of them.
        labels_alone: Whether the ramp has not begun.
        has_consistency: Whether the method, as it is configured, has any.
    """

    has_consistency: bool = True
    rampup: float = 1.0
    consistency_scale: float = 1.0
    labels_alone: bool = False
    _ramp_is_set = False

    def set_rampup(self, value: float) -> None:
        """Set the factor, in [0, 1], on the losses that declare ``ramp=True``. At exactly 0 the consistency is off."""
        self.rampup = value
        self._ramp_is_set = True

    @property
    def consistency_is_off(self) -> bool:
        """Whether only labels teach now: the unlabelled images are then passed over, which saves their time."""
        return self.rampup == 0 or self.consistency_scale == 0

    @property
    def consistency_weight(self) -> float | None:
        """Weight of the loss on pseudo-labels in this step, for the log; None for a method that has none."""
        return None

    def weight_of(self, loss: ConsistencyLoss) -> float:
        """Weight of a loss on what labels do not say in this step: its own, the ramp if it follows it, and the scale."""
        if self.consistency_is_off:
            return 0.0
        return loss.loss_weight * (self.rampup if loss.ramp else 1.0) * self.consistency_scale

    def ramped(self, loss: ConsistencyLoss, value: Tensor) -> Tensor:
        """The value of a loss on what labels do not say, times ``consistency_scale`` and, with ``ramp=True``, the ramp."""
        if self.consistency_scale != 1:
            value = value * self.consistency_scale
        if not loss.ramp:
            return value
        if not self._ramp_is_set:
            self._ramp_is_set = True
            print_log(
                f'{type(loss).__name__}.ramp=True, but nothing sets the ramp: full weight from the first step, from which '
                'networks that know little teach each other to see nothing. Add dict(type="SemiSupervisedHook") to '
                'custom_hooks, or call set_rampup',
                logger='current',
                level=logging.WARNING,
            )
        return value if self.rampup == 1 else value * self.rampup
