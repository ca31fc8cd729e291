"""Sets the weight of the losses on what labels do not say."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..ramp import RampSchedule
from .access import unwrapped

BEGIN = 'ramp_begins'  # key of the iteration in the message hub, and so in the checkpoints


class ConsistencyRampHook(Hook):
    """Tells the model the factor of the ramp in each iteration, and logs the weight that the model makes of it.

    The factor depends on the iteration and on when the ramp began, which the checkpoints keep, so a resumed training goes on
    with the same one. A training that starts from nothing first learns from labels alone; one that starts from trained weights
    (``load_from``) begins the ramp at once.

    Args:
        schedule: When the ramp begins and how fast it rises.
    """

    def __init__(self, schedule: RampSchedule) -> None:
        self.schedule = schedule

    def begin(self, runner: Runner) -> int:
        """The iteration at which the ramp of this training begins; before it only labels are learned."""
        return runner.message_hub.get_info(BEGIN)

    def postpone(self, runner: Runner, iteration: int) -> None:
        """Let the ramp begin at another iteration. Kept in the checkpoints."""
        runner.message_hub.update_info(BEGIN, iteration)

    def before_train(self, runner: Runner) -> None:
        """Settle when the ramp begins; warn of a schedule that is too short. A resumed training has done both."""
        if BEGIN in runner.message_hub.runtime_info:
            return
        is_trained = all(getattr(unwrapped(runner.model), 'trained_branches', [False]))
        for warning in self.schedule.warnings(runner.max_iters, is_trained):
            print_log(warning, logger='current', level=logging.WARNING)
        self.postpone(runner, 0 if is_trained else self.schedule.labels_only_length(runner.max_iters))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set the ramp of this iteration; log the weight of the pseudo-labels."""
        self.set_rampup(runner)
        weight = unwrapped(runner.model).consistency_weight
        if weight is not None:
            runner.message_hub.update_scalar('train/consistency_weight', weight)

    def set_rampup(self, runner: Runner) -> None:
        """Tell the model the factor of this iteration, and whether the ramp has begun."""
        model, begin = unwrapped(runner.model), self.begin(runner)
        model.set_rampup(self.schedule.rampup(runner.iter, runner.max_iters, begin))
        model.labels_alone = runner.iter < begin
