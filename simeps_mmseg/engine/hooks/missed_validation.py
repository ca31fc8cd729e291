"""Repeats a validation that an interruption cut off."""

from bisect import bisect

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

LAST = 'last_validation'  # key of its iteration in the message hub, and so in the checkpoints


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validates before the first step of a resumed training where the checkpoint is of before that validation.

    A checkpoint is written before the validation of its step, so whoever goes on from it repeats that validation. What follows
    from it (the best checkpoint, a step back) then follows from the same state as without the interruption.
    """

    priority = 'LOW'

    def before_train_epoch(self, runner: Runner) -> None:
        """Validate if that is due: by now all hooks are restored, and no random number is drawn."""
        if runner.iter > 0 and runner.val_loop is not None and is_due(runner):
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Remember that this step was validated."""
        runner.message_hub.update_info(LAST, runner.iter)


def is_due(runner: Runner) -> bool:
    """Whether a loop that counts iterations validates after the last step, and the checkpoint does not know of it."""
    loop = runner.train_loop
    if not hasattr(loop, 'val_begin') or hasattr(loop, 'run_epoch'):
        return False
    interval = loop.dynamic_intervals[bisect(loop.dynamic_milestones, runner.iter + 1) - 1]  # as after that step
    at_interval = runner.iter % interval == 0 or runner.iter == runner.max_iters
    return runner.iter >= loop.val_begin and at_interval and runner.message_hub.get_info(LAST) != runner.iter
