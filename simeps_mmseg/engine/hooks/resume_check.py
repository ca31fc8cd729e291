"""Compares a resumed training with the one that was interrupted."""

import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...utils import UserError
from ...utils.weights import differing_weights, without_wrapper
from ..resume import changes, experiment_record, rate_ratio, refusals, scale_rate
from .access import unwrapped

RECORD = 'experiment'  # key in the checkpoint
MOST_LINES = 12


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Writes a record of the training into its checkpoints, and compares a training that is resumed with that record.

    Another network, optimiser, number of images per step, or number or kind of schedules is refused; other changes are said.
    Another learning rate takes effect: the schedule goes on at its multiple. Nothing is looked at where weights are only
    loaded (``load_from`` without ``resume``).
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._began = False
        self._record: dict[str, str] | None = None

    def before_train(self, runner: Runner) -> None:
        """Make the record. Checkpoints that are loaded from here on, such as the best weights for a test, are not compared."""
        self._began = True
        self._record = self._record or experiment_record(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the record into the checkpoint."""
        if self._record is not None:
            checkpoint[RECORD] = dict(self._record)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare, before anything of the checkpoint is used.

        Raises:
            UserError: If this training cannot go on from it.
        """
        if self._began or not runner._resume or runner._train_loop is None or isinstance(runner._train_loop, dict):
            return
        if 'optimizer' not in checkpoint or 'iter' not in checkpoint.get('meta', {}):
            raise UserError(
                f'{_name(runner)} holds weights and no state of an optimiser, so no training can go on from it; begin one '
                'from its weights (load_from without --resume)'
            )
        before, self._record = checkpoint.get(RECORD) or {}, experiment_record(runner)
        problems = [*weight_problems(runner, checkpoint), *refusals(before, self._record)]
        problems += schedule_problems(runner, checkpoint)
        problems += [] if problems else optimizer_problems(runner, checkpoint)
        if problems:
            raise UserError(
                f'{_name(runner)} is of another training: {"; ".join(problems)}. Resume with what it was, or begin anew in '
                'another --work-dir'
            )
        if not before:
            print_log(
                f'{_name(runner)} does not say what was trained: weights and optimiser fit, the config is not compared',
                'current',
            )
        elif said := changes(before, self._record):
            rest = f'\n  - and {len(said) - MOST_LINES} more' if len(said) > MOST_LINES else ''
            lines = ''.join(f'\n  - {line}' for line in said[:MOST_LINES])
            print_log(f'since {_name(runner)} was written:{lines}{rest}', 'current', logging.WARNING)
        scale_rate(checkpoint, rate_ratio(before, self._record))


def weight_problems(runner: Runner, checkpoint: dict) -> list[str]:
    """A sentence on weights that are not those of the model: another width, method or number of classes."""
    found = differing_weights(unwrapped(runner.model).state_dict(), without_wrapper(checkpoint['state_dict']))
    return [f'weights: {found}'] if found else []


def optimizer_problems(runner: Runner, checkpoint: dict) -> list[str]:
    """A sentence on an optimiser that has other parameters than that of the checkpoint."""
    saved, own = checkpoint['optimizer'], runner.optim_wrapper.state_dict()
    if 'param_groups' not in saved or 'param_groups' not in own:  # one for each of several names
        return []
    counts = [[len(group['params']) for group in state['param_groups']] for state in (saved, own)]
    if counts[0] != counts[1]:
        return [f'optim_wrapper: groups of {counts[0]} parameters there, {counts[1]} here']
    return []


def schedule_problems(runner: Runner, checkpoint: dict) -> list[str]:
    """A sentence on another number of schedules: mmengine would pair them by their order, and begin those that are left.

    None here is no problem: rates stay where they are.
    """
    saved, own = (_counts(part) for part in (checkpoint.get('param_schedulers'), runner.param_schedulers))
    if not any(own) or saved == own:
        return []
    there, here = (' + '.join(map(str, counts)) for counts in (saved, own))
    return [f'param_scheduler: {there} schedules there, {here} here']


def _counts(schedules: list | dict[str, list] | None) -> list[int]:
    """How many schedules each optimiser has."""
    return [len(some) for some in (schedules.values() if isinstance(schedules, dict) else [schedules or []])]


def _name(runner: Runner) -> str:
    return f'the checkpoint {runner._load_from or "in " + runner.work_dir}'
