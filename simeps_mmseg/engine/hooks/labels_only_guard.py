"""Never below labels alone: what they reached on validation is kept, watched over and gone back to."""

import logging
from itertools import chain
from numbers import Real

import numpy as np
from mmengine.dist import broadcast_object_list
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor

from ...evaluation.functional import DECIDING
from ...models.segmentors import ENSEMBLE, STUDENT
from ...utils import UserError
from ..guard import GuardFiles, GuardState, Reference, empty_agreement, not_found
from ..starvation import remedies_on_labels, weighs_classes
from .access import find_hook, learned_networks, optim_wrappers, unwrapped, validated_state
from .consistency_ramp import ConsistencyRampHook
from .pseudo_label_statistics import PseudoLabelStatisticsHook

STATE = 'labels_only_guard'  # key of what the hook has to remember, in the message hub and so in the checkpoints


@HOOKS.register_module()
class LabelsOnlyGuardHook(Hook):
    """Keeps the validation of labels alone, and sees to it that what the training ends with is not below.

    Labels alone is what a training from a trained network (``load_from``) begins with, before its first step; else what the
    networks are at the end of ``SemiSupervisedHook.labels_only_share``. Where they do not find every class of the validation
    set then, that stretch is prolonged by a validation interval, up to ``longest`` of the schedule.

    After each later validation the score that chooses the best checkpoint, the IoU of each class and the score of each
    branch are compared with labels alone. What is lost (:func:`simeps_mmseg.engine.guard.losses_since`) is warned of, and so
    is a score that stays below. Then the networks go back to the last validated weights of which nothing was lost, with half
    the weight on what labels do not say; the third time with none. As the best checkpoint is chosen from labels alone on,
    it is never below them on validation.

    The work folder gets ``labels_only.pth``, the network that was best on labels alone as a plain checkpoint;
    ``labels_only.json``, what came of it; and ``last_good.pth``, the weights to go back to. With mmengine's ``EMAHook`` the
    average is what is validated, so it is what is kept, and it goes back, too.

    Args:
        step_back: Whether to act, not only to warn.
        attempts: Steps back until the weight is zero.
        patience: Validations in a row below labels alone until the networks go back.
        patience_iters: Iterations since the last that was not below which must have passed, too: the first few hundred with
            unlabelled images may cost what the next ones bring back.
        longest: Largest share of the schedule that may be spent on labels alone.

    Raises:
        UserError: On a number out of range.
    """

    priority = 'LOWEST'  # after CheckpointHook, which has to know its folder before a validation, and after EMAHook

    def __init__(
        self,
        step_back: bool = True,
        attempts: int = 3,
        patience: int = 3,
        patience_iters: int = 800,
        longest: float = 0.5,
    ) -> None:
        if attempts < 1 or patience < 1 or patience_iters < 0 or not 0 <= longest < 1:
            raise UserError(
                'LabelsOnlyGuardHook: attempts and patience are 1 or more, patience_iters 0 or more and longest a share of '
                f'the schedule in [0, 1), got {attempts}, {patience}, {patience_iters} and {longest}'
            )
        self.step_back = step_back
        self.attempts = attempts
        self.patience = patience
        self.patience_iters = patience_iters
        self.longest = longest
        self.ramp: ConsistencyRampHook | None = None
        self.state = GuardState()
        self.last_validation = -1
        self._good: dict[str, dict[str, Tensor]] = {}

    # -- what the runner calls ---------------------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Go on from what was known, or look at the network that the training starts from."""
        self.ramp = find_hook(runner, ConsistencyRampHook)
        if self.ramp is None or runner.val_loop is None:
            why = 'SemiSupervisedHook' if self.ramp is None else 'val_dataloader'
            print_log(f'LabelsOnlyGuardHook: no {why}, so nothing is guarded', 'current', logging.WARNING)
            self.ramp = None
            return
        self._files = GuardFiles(runner.work_dir)
        if runner.iter == 0:
            self._files.remove()  # of an earlier training in this folder
            if any(unwrapped(runner.model).trained_branches):
                runner.val_loop.run()
        else:
            self._restore(runner)
        if self.state.reference is None and not self.ramp.begin(runner):
            print_log(
                'LabelsOnlyGuardHook: this training starts neither from a trained network (load_from) nor on labels alone '
                '(SemiSupervisedHook.labels_only_share), so there is nothing to hold its validations against',
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
        scores = numbers(metrics)
        found = deciding_score(runner, scores)
        if found is None:
            print_log('LabelsOnlyGuardHook: no score that grows, so nothing is guarded', 'current', logging.WARNING)
            return
        key = found.rsplit('/', 1)[-1]
        prefix = found.removesuffix(key)
        scores |= {name.removeprefix(prefix): value for name, value in scores.items() if name.startswith(prefix)}
        if runner.iter <= self.ramp.begin(runner):
            self._take_reference(runner, self.ramp, Reference(runner.iter, key, scores))
        elif self.state.reference is None:
            self._look(runner, scores)
        else:
            self._compare(runner, Reference(runner.iter, self.state.reference.key, scores))
        self.state.count_best(runner.iter, scores)
        self._store(runner)

    def after_train(self, runner: Runner) -> None:
        """Log what the unlabelled images brought on validation."""
        if self.state.reference is not None:
            print_log(self.state.outcome(), logger='current')
            self._store(runner)

    # -- what it does ------------------------------------------------------------------------------------------------

    def _take_reference(self, runner: Runner, ramp: ConsistencyRampHook, found: Reference) -> None:
        if self.state.take(found):
            student, scored = (unwrapped(runner.model).test_cfg[key] for key in ('predict_with', 'predict_on'))
            scored = 0 if scored == ENSEMBLE else scored
            self._files.keep_network(validated_state(runner), found, student == STUDENT, scored)
            self._keep_good(runner)
        missing, begin = not_found(found.metrics), ramp.begin(runner)
        if not missing or runner.iter < begin:
            return
        longer = begin + runner.train_loop.val_interval
        if begin > 0 and longer <= self.longest * runner.max_iters:
            warn(runner, f'labels alone do not find {", ".join(missing)} yet: they go on alone until {longer}')
            ramp.postpone(runner, longer)
        else:
            advice = remedies_on_labels(weighs_classes(unwrapped(runner.model)))
            warn(
                runner,
                f'labels alone do not find {", ".join(missing)}. What they do not find, pseudo-labels do not show. What may '
                f'help, in this order (docs/methods.md, When classes vanish): {advice}',
            )

    def _look(self, runner: Runner, scores: dict[str, float]) -> None:
        """Warn of classes that validation does not find, in a training that has no reference."""
        vanished = vanished_classes(runner)
        if missing := not_found(scores):
            agreed = f'; all branches agree everywhere without {", ".join(vanished)}' if vanished else ''
            warn(runner, f'validation does not find {", ".join(missing)}{agreed}')

    def _compare(self, runner: Runner, now: Reference) -> None:
        state = self.state
        lost = state.losses(now, vanished_classes(runner), self.patience, self.patience_iters)
        (lost,) = of_main_process(lost)  # the statistics of the pseudo-labels are those of each process
        if not lost:
            if not state.below:
                self._keep_good(runner)
            elif state.labels_best:
                before = state.labels_best.score
                warn(
                    runner,
                    f'{now.key} is {now.score:.2f}, below that of labels alone ({before:.2f}). The best checkpoint stays',
                )
            return
        text = '; '.join(lost)
        if self.step_back and state.stepped_back < self.attempts:
            self._go_back(runner)
            factor = state.factor(self.attempts)
            text += f'. Back to the last good weights, with {factor:g} of the weight on unlabelled images'
        state.events.append(dict(iteration=runner.iter, text=text))
        warn(runner, text)

    def _go_back(self, runner: Runner) -> None:
        self.state.stepped_back += 1
        self.state.below, self.state.not_below = 0, runner.iter
        for name, network in learned_networks(runner).items():
            network.load_state_dict(self._good[name])
        unwrapped(runner.model).consistency_scale = self.state.factor(self.attempts)
        for wrapper in optim_wrappers(runner):
            wrapper.optimizer.state.clear()  # its moments are of the weights that were left, and so is a sum of gradients
            wrapper.zero_grad()

    def _keep_good(self, runner: Runner) -> None:
        self._good = {
            name: {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}
            for name, network in learned_networks(runner).items()
        }
        self._files.keep_good(runner.iter, self._good)

    # -- what it remembers -------------------------------------------------------------------------------------------

    def _restore(self, runner: Runner) -> None:
        """Take the state of the guard from the checkpoint that is resumed."""
        record = runner.message_hub.runtime_info.get(STATE)
        if not record or not record['reference']:
            return
        self.state = GuardState.from_record(record)
        unwrapped(runner.model).consistency_scale = self.state.factor(self.attempts)
        self._good = self._files.read_good(learned_networks(runner), runner.iter) or {}
        if not self._good:
            self._keep_good(runner)

    def _store(self, runner: Runner) -> None:
        record = self.state.to_record()
        runner.message_hub.update_info(STATE, record)
        self._files.write_record(record)


def vanished_classes(runner: Runner) -> list[str]:
    """Classes that the pseudo-labels have lost while all branches agree; none where nothing watches them."""
    statistics = find_hook(runner, PseudoLabelStatisticsHook)
    return [] if statistics is None else empty_agreement(statistics.latest)


def deciding_score(runner: Runner, scores: dict[str, float]) -> str | None:
    """Name of the score that chooses the best checkpoint, if more of it is better, or else of the first known one there is.

    With ``val_evaluator.prefix`` the names in ``scores`` begin with it.
    """
    keys = []
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best:
            keys += [key for key, rule in zip(hook.key_indicators, hook.rules) if rule != 'less']
    named = (key for key in keys if key in scores)
    known = (name for key in DECIDING for name in scores if f'/{name}'.endswith(f'/{key}'))
    return next(chain(named, known), None)


def warn(runner: Runner, text: str) -> None:
    """Log a warning with the iteration."""
    print_log(f'iteration {runner.iter}: {text}', 'current', logging.WARNING)


def of_main_process(value: list) -> list:
    """``[value]`` as the main process has it."""
    values = [value]
    broadcast_object_list(values)
    return values


def numbers(metrics: dict) -> dict[str, float]:
    """What is a number in the results of a validation, arrays and tensors of one element included."""
    values = {
        key: value.item()
        if isinstance(value, Tensor | np.ndarray | np.generic) and np.prod(value.shape) == 1
        else value
        for key, value in metrics.items()
    }
    return {key: float(value) for key, value in values.items() if isinstance(value, Real)}
