"""Never below labels alone: what they reached on validation is kept, watched over and gone back to."""

import logging
import math
from numbers import Number
from pathlib import Path

import torch
from mmengine.dist import broadcast_object_list, is_main_process, master_only
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from ...deploy.checkpoint import network_states, plain_checkpoint
from ...deploy.labels_only import RECORD, WEIGHTS
from ...evaluation.functional import DECIDING
from ...utils import UserError
from ...utils.checkpoint import read_checkpoint
from ...utils.files import whole_file
from ...utils.valid_json import valid_json
from ...utils.weights import check_finite
from ..guard import Reference, empty_agreement, losses_since, not_found, number
from .semi_supervised import SemiSupervisedHook, unwrapped

STATE = 'labels_only_guard'  # key of what the hook has to remember, in the message hub and so in the checkpoints
LAST_GOOD = 'last_good.pth'


@HOOKS.register_module()
class LabelsOnlyGuardHook(Hook):
    """Keeps the validation of labels alone, and sees to it that what the training ends with is not below.

    Labels alone is what a training from a trained network (``load_from``) begins with, before its first step; else what the
    networks are at the end of ``SemiSupervisedHook.labels_only``. Where they do not find every class of the validation set
    then, that stretch is prolonged by a validation interval, up to ``longest`` of the schedule.

    After each later validation the score that chooses the best checkpoint, the IoU of each class and the score of each
    branch are compared with labels alone. What is lost (:func:`simeps_mmseg.engine.guard.losses_since`) is warned of, and so
    is a score that stays below. Then the networks go back to the last validated weights of which nothing was lost, with half
    the weight on what labels do not say; the third time with none. As the best checkpoint is chosen from labels alone on,
    it is never below them on validation.

    The work folder gets ``labels_only.pth``, the network that was best on labels alone as a plain checkpoint;
    ``labels_only.json``, what came of it; and ``last_good.pth``, the weights to go back to.

    Args:
        step_back: Whether to act, not only to warn.
        attempts: Steps back until the weight is zero.
        patience: Validations in a row below labels alone until the networks go back.
        longest: Largest share of the schedule that may be spent on labels alone.

    Raises:
        UserError: On a number out of range.
    """

    priority = 'LOWEST'  # after CheckpointHook, which has to know its folder before a validation

    def __init__(self, step_back: bool = True, attempts: int = 3, patience: int = 3, longest: float = 0.5) -> None:
        if attempts < 1 or patience < 1 or not 0 <= longest < 1:
            raise UserError(
                'LabelsOnlyGuardHook: attempts and patience are 1 or more and longest a share of the schedule in [0, 1), got '
                f'{attempts}, {patience} and {longest}'
            )
        self.step_back = step_back
        self.attempts = attempts
        self.patience = patience
        self.longest = longest
        self.ramp: SemiSupervisedHook | None = None
        self.reference: Reference | None = None
        self.best = -math.inf
        self.events: list[dict] = []
        self.stepped_back = 0
        self.below = 0
        self.last_validation = -1
        self._good: dict[str, Tensor] = {}

    # -- what the runner calls ---------------------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Go on from what was known, or look at the network that the training starts from."""
        self.ramp = next((hook for hook in runner.hooks if isinstance(hook, SemiSupervisedHook)), None)
        if self.ramp is None or runner.val_loop is None:
            why = 'SemiSupervisedHook' if self.ramp is None else 'val_dataloader'
            print_log(f'LabelsOnlyGuardHook: no {why}, so nothing is guarded', 'current', logging.WARNING)
            self.ramp = None
            return
        if runner.iter == 0:
            _remove_files(Path(runner.work_dir))  # of an earlier training in this folder
            if any(unwrapped(runner.model).trained_branches):
                runner.val_loop.run()
        else:
            self._restore(runner)
        if self.reference is None and not self.ramp.begin(runner):
            print_log(
                'LabelsOnlyGuardHook: this training starts neither from a trained network (load_from) nor on labels alone '
                '(SemiSupervisedHook.labels_only), so there is nothing to hold its validations against',
                'current',
                logging.WARNING,
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Validate at the end of the stretch on labels alone, where that was not just done."""
        if self.ramp is not None and 0 < self.ramp.begin(runner) == runner.iter > self.last_validation:
            runner.val_loop.run()
            runner.model.train()
            self.ramp.set_rampup(runner)  # it may have been postponed

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Take the reference, or compare with it."""
        if self.ramp is None or not metrics:
            return
        self.last_validation = runner.iter
        scores = _numbers(metrics)
        key = deciding_score(runner, scores)
        if key is None:
            print_log('LabelsOnlyGuardHook: no score that grows, so nothing is guarded', 'current', logging.WARNING)
            return
        if runner.iter <= self.ramp.begin(runner):
            self._take_reference(runner, key, scores)
        elif self.reference is None:
            self._look(runner, scores)
        else:
            self._compare(runner, scores)
        if self.reference is not None:
            self.best = max(self.best, Reference(runner.iter, self.reference.key, scores).score)
        self._store(runner)

    def after_train(self, runner: Runner) -> None:
        """Say what came of it."""
        if self.reference is not None:
            print_log(self.outcome(), logger='current')
            self._store(runner)

    # -- what it does ------------------------------------------------------------------------------------------------

    @property
    def factor(self) -> float:
        """On all that labels do not say: a half for each step back, and zero from the last attempt on."""
        return 0.5**self.stepped_back if self.stepped_back < self.attempts else 0.0

    def outcome(self) -> str:
        """A sentence on what the unlabelled images brought on validation."""
        key, before = self.reference.key, self.reference.score
        if self.best > before:
            return (
                f'{key} on validation: {before:.2f} with labels alone, {self.best:.2f} with the best checkpoint '
                f'({self.best - before:+.2f})'
            )
        return (
            f'nothing was gained on validation: the best {key} is that of labels alone ({before:.2f}, iteration '
            f'{self.reference.iteration}), and so are the weights of the best checkpoint'
        )

    def _take_reference(self, runner: Runner, key: str, scores: dict[str, float]) -> None:
        taken = Reference(runner.iter, key, scores)
        if self.reference is None or (taken.top, taken.score) > (self.reference.top, self.reference.score):
            self.reference = taken
            self._keep_labels_only(runner)
            self._keep_good(runner)
        missing, begin = not_found(scores), self.ramp.begin(runner)
        if not missing or runner.iter < begin:
            return
        longer = begin + runner.train_loop.val_interval
        if begin > 0 and longer <= self.longest * runner.max_iters:
            self._warn(runner, f'labels alone do not find {", ".join(missing)} yet: they go on alone until {longer}')
            self.ramp.postpone(runner, longer)
        else:
            self._warn(
                runner,
                f'labels alone do not find {", ".join(missing)}. What they do not find, pseudo-labels do not show: train '
                'longer on labels, or weight these classes in the loss (tools/check_dataset.py says how)',
            )

    def _look(self, runner: Runner, scores: dict[str, float]) -> None:
        """Without a reference: warn of what is not there."""
        vanished = empty_agreement(self.ramp.statistics)
        if missing := not_found(scores):
            agreed = f'; all branches agree everywhere without {", ".join(vanished)}' if vanished else ''
            self._warn(runner, f'validation does not find {", ".join(missing)}{agreed}')

    def _compare(self, runner: Runner, scores: dict[str, float]) -> None:
        key, before = self.reference.key, self.reference.score
        now = Reference(runner.iter, key, scores)
        self.below = self.below + 1 if now.score < before else 0
        lost = list(losses_since(self.reference, scores, empty_agreement(self.ramp.statistics)))
        if self.below >= self.patience:
            lost.append(f'{key} has been below that of labels alone ({before:.1f}) for {self.below} validations')
        (lost,) = _of_main_process(lost)  # the statistics of the pseudo-labels are those of each process
        if not lost:
            if not self.below:
                self._keep_good(runner)
            else:
                self._warn(
                    runner,
                    f'{key} is {now.score:.2f}, below that of labels alone ({before:.2f}). The best checkpoint stays',
                )
            return
        text = '; '.join(lost)
        if self.step_back and self.stepped_back < self.attempts:
            self._go_back(runner)
            text += f'. Back to the last good weights, with {self.factor:g} of the weight on unlabelled images'
        self.events.append(dict(iteration=runner.iter, text=text))
        self._warn(runner, text)

    def _go_back(self, runner: Runner) -> None:
        self.stepped_back += 1
        self.below = 0
        model = unwrapped(runner.model)
        model.load_state_dict(self._good)
        model.consistency_scale = self.factor
        wrappers = runner.optim_wrapper
        for wrapper in wrappers.values() if isinstance(wrappers, OptimWrapperDict) else [wrappers]:
            wrapper.optimizer.state.clear()  # its moments are of the weights that were left

    def _keep_good(self, runner: Runner) -> None:
        self._good = {
            name: value.detach().cpu().clone() for name, value in unwrapped(runner.model).state_dict().items()
        }
        _save(Path(runner.work_dir) / LAST_GOOD, dict(meta=dict(iter=runner.iter), state_dict=self._good))

    def _keep_labels_only(self, runner: Runner) -> None:
        states = network_states(unwrapped(runner.model).state_dict())
        branches = [number(score) for score in self.reference.branches]
        index = branches.index(max(branches)) if branches else 0
        meta = dict(iter=runner.iter, branch=index, scores=dict(self.reference.metrics))
        _save(Path(runner.work_dir) / WEIGHTS, plain_checkpoint(states[index], meta))

    @staticmethod
    def _warn(runner: Runner, text: str) -> None:
        print_log(f'iteration {runner.iter}: {text}', 'current', logging.WARNING)

    # -- what it remembers -------------------------------------------------------------------------------------------

    def _restore(self, runner: Runner) -> None:
        """From the checkpoint that is resumed."""
        state = runner.message_hub.runtime_info.get(STATE)
        if not state or not state['reference']:
            return
        self.reference = Reference(**state['reference'])
        self.stepped_back, self.below = state['stepped_back'], state['below']
        self.best = -math.inf if state['best'] is None else state['best']
        self.events = list(state['events'])
        unwrapped(runner.model).consistency_scale = self.factor
        file = Path(runner.work_dir) / LAST_GOOD
        if file.is_file():
            self._good = read_checkpoint(file)['state_dict']
        else:
            self._keep_good(runner)

    def _store(self, runner: Runner) -> None:
        reference = self.reference and dict(
            iteration=self.reference.iteration, key=self.reference.key, metrics=dict(self.reference.metrics)
        )
        best = self.best if math.isfinite(self.best) else None
        state = dict(
            reference=reference, best=best, stepped_back=self.stepped_back, below=self.below, events=self.events
        )
        runner.message_hub.update_info(STATE, state)
        write_record(Path(runner.work_dir) / RECORD, state)


def deciding_score(runner: Runner, scores: dict[str, float]) -> str | None:
    """The score that chooses the best checkpoint, if more of it is better, or else the first known one that there is."""
    keys = []
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best:
            keys += [key for key, rule in zip(hook.key_indicators, hook.rules) if rule != 'less']
    return next((key for key in (*keys, *DECIDING) if key in scores), None)


@master_only
def write_record(file: Path, record: dict) -> None:
    """Write what came of the training so far, whole or not at all."""
    with whole_file(file) as partial:
        partial.write_text(valid_json(record, indent=1), encoding='utf-8')


@master_only
def _save(file: Path, content: dict) -> None:
    check_finite(content['state_dict'], f'{file} would be of weights that are of no use: the network')
    with whole_file(file) as partial:
        torch.save(content, partial)


def _remove_files(folder: Path) -> None:
    if is_main_process():
        for name in (WEIGHTS, RECORD, LAST_GOOD):
            (folder / name).unlink(missing_ok=True)


def _of_main_process(value: list) -> list:
    """``[value]`` as the main process has it."""
    values = [value]
    broadcast_object_list(values)
    return values


def _numbers(metrics: dict) -> dict[str, float]:
    """What is a number in the results of a validation, arrays and tensors of one element included."""
    values = {key: value.item() if hasattr(value, 'item') else value for key, value in metrics.items()}
    return {key: float(value) for key, value in values.items() if isinstance(value, Number)}
