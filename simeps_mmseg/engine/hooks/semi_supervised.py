"""The ramp of the unsupervised losses, the check of the experiment, and the health of the pseudo-labels."""

import logging
import math

from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from ...datasets.class_weights import class_weights
from ...models.losses import sigmoid_rampup
from ...utils import UserError
from ..checks import check_experiment
from ..pseudo_label_health import PseudoLabelHealth, by_class, starving_classes
from ..randomness import draw_apart

ENOUGH_ON_LABELS = 500  # iterations; chosen by what small U-Nets took on a few sets, not measured beyond them
BEGIN = 'ramp_begins'  # key of the iteration in the message hub, and so in the checkpoints
HEALTH = 'pseudo_label_health'  # key in the checkpoints


@HOOKS.register_module()
class SemiSupervisedHook(Hook):
    """Ramps the weights of the losses that declare ``ramp=True``, checks the experiment, watches the pseudo-labels.

    A training that starts from nothing first learns from labels alone, for ``labels_only``; one that starts from weights
    (``load_from``) has done so already. Then the ramp rises from exactly zero to one:
    ``sigmoid_rampup(iter // rampup_interval, rampup_iters / rampup_interval)``, less its value at step 0. With
    ``from_zero=False`` it is that function itself, as in the released code, and begins at 0.0067.

    Before the first iteration :func:`simeps_mmseg.engine.checks.check_experiment` looks at the whole experiment.

    Every ``health_interval`` iterations the log gets, averaged over these iterations, ``agreement`` (share of unlabelled
    pixels on which all branches agree), ``pseudo_share.<class>`` (share of the pseudo-labelled pixels) and
    ``label_share.<class>`` (share of the labelled pixels): the two should not drift apart. Where the first falls below
    ``starving`` times the second there is a warning, once per class until it recovers: the branches are teaching each other
    that the class does not exist. After the first interval there is one of classes that no label has shown.

    Args:
        rampup_iters: Iterations from the beginning of the ramp to full weight; a float in (0, 1] is a share of
            ``max_iters``. 0: no ramp.
        rampup_interval: The weight changes once in so many iterations. None: 150, or 1 for a share and for ramps shorter than
            that.
        labels_only: Iterations before the ramp; a float in (0, 1) is a share of ``max_iters``.
        from_zero: Whether the ramp begins at exactly zero.
        health_interval: Iterations between two looks at the pseudo-labels. 0: never.
        starving: Fraction of its labelled share below which a class is warned about. 0: never.
        starving_after: No warning in so many iterations after the ramp began, when hardly any class is known yet; a float in
            (0, 1) is a share of ``max_iters``.

    Raises:
        UserError: On a negative number, a share that is none, or an interval longer than the ramp.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        rampup_iters: int | float = 30000,
        rampup_interval: int | None = None,
        labels_only: int | float = 0,
        from_zero: bool = True,
        health_interval: int = 50,
        starving: float = 0.25,
        starving_after: int | float = 0.1,
    ) -> None:
        if rampup_iters < 0 or (isinstance(rampup_iters, float) and not 0 < rampup_iters <= 1):
            raise UserError(
                'SemiSupervisedHook.rampup_iters must be a count of iterations (an integer of 0 or more) or a share of '
                f'max_iters (a float in (0, 1]), got {rampup_iters!r}'
            )
        for name, value in (('labels_only', labels_only), ('starving_after', starving_after)):
            if value < 0 or (isinstance(value, float) and not value < 1):
                raise UserError(
                    f'SemiSupervisedHook.{name} must be a count of iterations (an integer of 0 or more) or a share of '
                    f'max_iters (a float in [0, 1)), got {value!r}'
                )
        if rampup_interval is None:
            rampup_interval = 1 if isinstance(rampup_iters, float) or rampup_iters < 150 else 150
        if rampup_interval < 1 or health_interval < 0:
            raise UserError(
                'SemiSupervisedHook: rampup_interval must be 1 or more and health_interval 0 or more, got '
                f'{rampup_interval} and {health_interval}'
            )
        if isinstance(rampup_iters, int) and 0 < rampup_iters < rampup_interval:
            raise UserError(
                f'SemiSupervisedHook: a ramp of rampup_iters={rampup_iters} that changes every rampup_interval='
                f'{rampup_interval} iterations is a jump; lower the interval'
            )
        if not 0 <= starving < 1:
            raise UserError(f'SemiSupervisedHook.starving is a fraction in [0, 1), got {starving}')
        self.rampup_iters = rampup_iters
        self.rampup_interval = rampup_interval
        self.labels_only = labels_only
        self.from_zero = from_zero
        self.health_interval = health_interval
        self.starving = starving
        self.starving_after = starving_after
        self.statistics: dict[str, float] = {}
        self._starving: set[str] = set()
        self._looked_for_absent = False
        self._health: PseudoLabelHealth | None = None
        self._loaded: dict | None = None

    def rampup(self, iteration: int, max_iters: int, begin: int | None = None) -> float:
        """The factor at an iteration, in [0, 1].

        Args:
            iteration: Counted from 0.
            max_iters: Length of the schedule.
            begin: Iteration at which the ramp begins; None: that of a training from nothing.
        """
        iteration -= in_iterations(self.labels_only, max_iters) if begin is None else begin
        if iteration < 0:
            return 0.0
        length = in_iterations(self.rampup_iters, max_iters) / self.rampup_interval
        value, first = (sigmoid_rampup(step, length) for step in (iteration // self.rampup_interval, 0))
        return (value - first) / (1 - first) if self.from_zero and first < 1 else value

    def begin(self, runner: Runner) -> int:
        """The iteration at which the ramp of this training begins; before it only labels are learned."""
        return runner.message_hub.get_info(BEGIN)

    def postpone(self, runner: Runner, iteration: int) -> None:
        """Let the ramp begin at another iteration. Kept in the checkpoints."""
        runner.message_hub.update_info(BEGIN, iteration)

    def cut_off(self, max_iters: int) -> str:
        """A sentence on where a ramp ends that is longer than the training; empty where it is not."""
        if sum(in_iterations(length, max_iters) for length in (self.labels_only, self.rampup_iters)) <= max_iters:
            return ''
        end = self.rampup(max_iters, max_iters)
        return (
            f'SemiSupervisedHook.rampup_iters={self.rampup_iters} is more than max_iters={max_iters}: the ramp ends at '
            f'{end:.3f} of the full weight (of losses with ramp=True)'
        )

    def too_short(self, max_iters: int) -> str:
        """A sentence on a schedule whose stretch on labels alone is too short; empty where it is not, or there is none."""
        steps = in_iterations(self.labels_only, max_iters)
        if not 0 < steps < ENOUGH_ON_LABELS:
            return ''
        is_share = isinstance(self.labels_only, float)
        needed = f'train {math.ceil(ENOUGH_ON_LABELS / self.labels_only)} or more' if is_share else 'give them more'
        return (
            f'labels alone get the first {steps} of max_iters={max_iters} iterations, and to find every class networks need '
            f'some {ENOUGH_ON_LABELS}: {needed}, or start from a trained network (load_from)'
        )

    def before_train(self, runner: Runner) -> None:
        """Check everything that can be checked before the first iteration; settle when the ramp begins."""
        draw_apart(runner)
        model = unwrapped(runner.model)
        check_experiment(runner.train_loop, model, runner.val_loop)
        is_trained = all(getattr(model, 'trained_branches', [False]))
        too_short = '' if is_trained else self.too_short(runner.max_iters)
        for warning in filter(None, (self.cut_off(runner.max_iters), too_short)):
            print_log(warning, logger='current', level=logging.WARNING)
        if BEGIN not in runner.message_hub.runtime_info:
            self.postpone(runner, 0 if is_trained else in_iterations(self.labels_only, runner.max_iters))
        if self.health_interval:
            self._health = PseudoLabelHealth(runner.train_loop.dataloader.dataset.metainfo['classes'])
        if runner.iter > 0 and self._loaded is not None:
            self.statistics = dict(self._loaded['statistics'])
            if self._health is not None and self._loaded['health'] is not None:
                self._health.load_state_dict(self._loaded['health'], get_device())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the pseudo-labels looked like: the guard decides by it, after a resume as before."""
        health = None if self._health is None else self._health.state_dict()
        checkpoint[HEALTH] = dict(statistics=dict(self.statistics), health=health)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take it out again; ``before_train`` knows whether training goes on from there."""
        self._loaded = checkpoint.get(HEALTH)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set the ramp of this iteration."""
        self.set_rampup(runner)
        model = unwrapped(runner.model)
        if getattr(model, 'cross_pseudo', None) is not None:
            weight = model.cross_pseudo.loss_weight * (model.rampup if model.cross_pseudo.ramp else 1.0)
            runner.message_hub.update_scalar('train/consistency_weight', weight * model.consistency_scale)

    def set_rampup(self, runner: Runner) -> None:
        """Tell the model the factor of this iteration."""
        unwrapped(runner.model).set_rampup(self.rampup(runner.iter, runner.max_iters, self.begin(runner)))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Add this step to the statistics; log them at the interval."""
        if self._health is None:
            return
        self._health.update(unwrapped(runner.model).last_step)
        if self.every_n_train_iters(runner, self.health_interval):
            statistics = self.statistics = self._health.compute()
            for name, value in statistics.items():
                runner.message_hub.update_scalar(f'train/{name}', value)
            if not self._looked_for_absent:
                self._warn_of_absent(runner.iter + 1, statistics)
            if runner.iter + 1 > self.begin(runner) + in_iterations(self.starving_after, runner.max_iters):
                self._warn_of_starving(runner.iter + 1, statistics)
            self._health.reset()

    def _warn_of_absent(self, iteration: int, statistics: dict[str, float]) -> None:
        self._looked_for_absent = True
        absent = [name for name, share in by_class(statistics, 'label_share').items() if not share]
        if absent:
            print_log(
                f'iteration {iteration}: no label so far shows {", ".join(absent)}. What no label shows is not learned; '
                'tools/check_dataset.py counts the pixels of each class and lists values that are no class',
                logger='current',
                level=logging.WARNING,
            )

    def _warn_of_starving(self, iteration: int, statistics: dict[str, float]) -> None:
        found = starving_classes(statistics, self.starving)
        for name in sorted(found.keys() - self._starving):
            pseudo, labeled = found[name]
            weights = class_weights(list(by_class(statistics, 'label_share').values()))
            print_log(
                f'iteration {iteration}: {name} is {pseudo:.2%} of the pseudo-labels but {labeled:.2%} of the labels. The '
                'branches may be unlearning it. In this order: class weights in the loss on the labels (of these labels '
                f'CrossEntropyLoss.class_weight={weights}), more iterations, a lower '
                'model.similarity.loss_weight',
                logger='current',
                level=logging.WARNING,
            )
        back = {name for name in self._starving - found.keys() if statistics.get(f'pseudo_share.{name}')}
        for name in sorted(back):
            print_log(f'iteration {iteration}: {name} is back among the pseudo-labels', logger='current')
        self._starving = self._starving - back | found.keys()


def in_iterations(length: int | float, max_iters: int) -> int:
    """A count of iterations; a float is a share of the schedule."""
    return round(length * max_iters) if isinstance(length, float) else length


def unwrapped(model: nn.Module) -> nn.Module:
    """The segmentor inside a wrapper for several processes."""
    return model.module if is_model_wrapper(model) else model
