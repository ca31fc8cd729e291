"""Never below labels alone: what they reached on validation is kept, watched over and gone back to."""

import json
import logging
from pathlib import Path

import torch
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner, load_checkpoint
from mmseg.registry import HOOKS

from ...deploy.checkpoint import best_branch, network_states, plain_checkpoint
from ...deploy.labels_only import RECORD, WEIGHTS
from ...evaluation.functional import DECIDING
from ...utils import UserError
from ...utils.files import whole_file
from ..guard import Reference, empty_agreement, losses_since, not_found
from .semi_supervised import SemiSupervisedHook, unwrapped

STATE = 'labels_only_guard'  # key of what the hook has to remember, in the message hub and so in the checkpoints


@HOOKS.register_module()
class LabelsOnlyGuardHook(Hook):
    """Keeps the validation of labels alone, and sees to it that what the training ends with is not below.

    Labels alone is what a training with ``load_from`` begins with, before its first step; else what the networks are at the
    end of ``SemiSupervisedHook.labels_only``. Where they do not find every class of the validation set then, that stretch
    is prolonged by a validation interval, up to ``longest`` of the schedule.

    After each later validation the score that chooses the best checkpoint, the IoU of each class and the score of each
    branch are compared with labels alone. What is lost (:func:`simeps_mmseg.engine.guard.losses_since`) is warned of, and
    the networks step back to the best checkpoint so far, with half the weight on what labels do not say; the third time
    with none. As the best checkpoint is chosen from labels alone on, it is never below them on validation.

    The work folder gets ``labels_only.pth``, the network that was best on labels alone as a plain checkpoint, and
    ``labels_only.json``, what came of it.

    Args:
        step_back: Whether to act, not only to warn.
        attempts: Steps back until the weight is zero.
        longest: Largest share of the schedule that may be spent on labels alone.

    Raises:
        UserError: On a number out of range.
    """

    priority = 'LOWEST'  # after CheckpointHook, which has to know the best one

    def __init__(self, step_back: bool = True, attempts: int = 3, longest: float = 0.5) -> None:
        if attempts < 1 or not 0 <= longest < 1:
            raise UserError(
                'LabelsOnlyGuardHook: attempts is 1 or more and longest a share of the schedule in [0, 1), got '
                f'{attempts} and {longest}'
            )
        self.step_back = step_back
        self.attempts = attempts
        self.longest = longest
        self.key = DECIDING[0]
        self.ramp: SemiSupervisedHook | None = None
        self.until = 0
        self.reference: Reference | None = None
        self.events: list[dict] = []
        self.stepped_back = 0
        self.last_validation = -1

    # -- what the runner calls ---------------------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Go on from what was known, or look at the network that the training starts from."""
        self.ramp = next((hook for hook in runner.hooks if isinstance(hook, SemiSupervisedHook)), None)
        if self.ramp is None or runner.val_loop is None:
            why = 'SemiSupervisedHook' if self.ramp is None else 'val_dataloader'
            print_log(f'LabelsOnlyGuardHook: no {why}, so nothing is guarded', 'current', logging.WARNING)
            return
        self.until = self.ramp.begin(runner)
        self._recall(runner)
        if runner.iter == 0 and self.reference is None and unwrapped(runner.model).starts_trained:
            runner.val_loop.run()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Validate at the end of the stretch on labels alone; weigh the rest as the steps back have it."""
        if self.ramp is None or runner.val_loop is None:
            return
        if 0 < self.until == runner.iter > self.last_validation:
            runner.val_loop.run()
            runner.model.train()
        if self.stepped_back:
            model = unwrapped(runner.model)
            model.set_rampup(model.rampup * self.factor)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Take the reference, or compare with it."""
        if self.ramp is None or not metrics:
            return
        self.last_validation = runner.iter
        self.key = self._deciding(runner, metrics)
        if runner.iter <= self.until:
            self._refer(runner, metrics)
        else:
            self._compare(runner, metrics)
        self._remember(runner)

    def after_train(self, runner: Runner) -> None:
        """Say what came of it."""
        if self.reference is not None and 'best_score' in runner.message_hub.runtime_info:
            print_log(self.outcome(runner.message_hub.get_info('best_score')), logger='current')
            self._remember(runner)

    # -- what it does ------------------------------------------------------------------------------------------------

    @property
    def factor(self) -> float:
        """On the ramp: a half for each step back, and zero from the last attempt on."""
        return 0.5**self.stepped_back if self.stepped_back < self.attempts else 0.0

    def outcome(self, best: float) -> str:
        """A sentence on what the unlabelled images brought, from the best score on validation."""
        gain = best - self.reference.score
        if gain > 0:
            return (
                f'{self.key} on validation: {self.reference.score:.2f} with labels alone, {best:.2f} with the best '
                f'checkpoint ({gain:+.2f})'
            )
        return (
            f'nothing was gained on validation: the best {self.key} is that of labels alone ({self.reference.score:.2f}, '
            f'iteration {self.reference.iteration}), and so are the weights of the best checkpoint'
        )

    def _refer(self, runner: Runner, metrics: dict[str, float]) -> None:
        if self.reference is None or metrics[self.key] > self.reference.score:
            self.reference = Reference(runner.iter, self.key, _numbers(metrics))
            self._save_labels_only(runner)
        if runner.iter < self.until:
            return
        missing = not_found(metrics)
        longer = self.until + runner.train_loop.val_interval
        if missing and self.until > 0 and longer <= self.longest * runner.max_iters:
            self._warn(runner, f'labels alone do not find {", ".join(missing)} yet: they go on alone until {longer}')
            self.until = longer
            self.ramp.postpone(runner, longer)
        elif missing:
            self._warn(
                runner,
                f'labels alone do not find {", ".join(missing)}. What they do not find, pseudo-labels do not show: train '
                'longer on labels, or weight these classes in the loss (tools/check_dataset.py says how)',
            )

    def _compare(self, runner: Runner, metrics: dict[str, float]) -> None:
        if self.reference is None:
            return
        lost = list(losses_since(self.reference, metrics))
        vanished = empty_agreement(self.ramp.statistics)
        if vanished:
            lost.append(f'all branches agree everywhere, and none of them sees {", ".join(vanished)}')
        if lost:
            acted = self._go_back(runner) if self.step_back else ''
            self._warn(runner, '; '.join(lost) + acted)
        elif metrics[self.key] < self.reference.score:
            self._warn(
                runner,
                f'{self.key} is {metrics[self.key]:.2f}, below that of labels alone ({self.reference.score:.2f}). The best '
                'checkpoint stays the better one',
                event=False,
            )

    def _go_back(self, runner: Runner) -> str:
        """Load the best checkpoint so far; what was done, as the end of a sentence."""
        best = runner.message_hub.runtime_info.get('best_ckpt')
        if not best or not Path(best).is_file():
            return '. There is no best checkpoint to go back to (default_hooks.checkpoint.save_best)'
        load_checkpoint(unwrapped(runner.model), best, map_location='cpu')
        runner.optim_wrapper.optimizer.state.clear()  # its moments are of the weights that were left
        self.stepped_back += 1
        return f'. Back to {Path(best).name}, with {self.factor:g} of the weight on unlabelled images'

    def _save_labels_only(self, runner: Runner) -> None:
        states = network_states({k: v.detach().cpu() for k, v in unwrapped(runner.model).state_dict().items()})
        index = best_branch(self.reference.branches) if self.reference.branches else 0
        meta = dict(iter=runner.iter, branch=index, scores=dict(self.reference.metrics))
        if is_main_process():
            with whole_file(Path(runner.work_dir) / WEIGHTS) as partial:
                torch.save(plain_checkpoint(states[index], meta), partial)

    def _warn(self, runner: Runner, text: str, event: bool = True) -> None:
        if event:
            self.events.append(dict(iteration=runner.iter, text=text))
        print_log(f'iteration {runner.iter}: {text}', 'current', logging.WARNING)

    # -- what it remembers -------------------------------------------------------------------------------------------

    def _deciding(self, runner: Runner, metrics: dict[str, float]) -> str:
        """The score that chooses the best checkpoint, or the first that there is."""
        keys = [key for hook in runner.hooks if isinstance(hook, CheckpointHook) for key in hook.key_indicators or ()]
        return next(key for key in (*keys, *DECIDING, *metrics) if key in metrics)

    def _recall(self, runner: Runner) -> None:
        state = runner.message_hub.runtime_info.get(STATE)
        if not state:
            return
        self.stepped_back, self.events = state['stepped_back'], list(state['events'])
        if state['reference']:
            self.reference = Reference(**state['reference'])

    def _remember(self, runner: Runner) -> None:
        reference = self.reference and dict(
            iteration=self.reference.iteration, key=self.reference.key, metrics=dict(self.reference.metrics)
        )
        best = runner.message_hub.runtime_info.get('best_score')
        state = dict(until=self.until, stepped_back=self.stepped_back, events=self.events, reference=reference)
        runner.message_hub.update_info(STATE, state)
        write_record(Path(runner.work_dir) / RECORD, {**state, 'best': None if best is None else float(best)})


@master_only
def write_record(file: Path, record: dict) -> None:
    """Write what came of the training so far, whole or not at all."""
    with whole_file(file) as partial:
        partial.write_text(json.dumps(record, indent=1), encoding='utf-8')


def _numbers(metrics: dict) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items() if isinstance(value, (int, float))}
