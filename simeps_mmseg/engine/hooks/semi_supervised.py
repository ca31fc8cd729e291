"""The ramp of the unsupervised losses, the check of the experiment, and the health of the pseudo-labels."""

import logging

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


@HOOKS.register_module()
class SemiSupervisedHook(Hook):
    """Ramps the weights of the losses that declare ``ramp=True``, checks the experiment, watches the pseudo-labels.

    The ramp depends on ``runner.iter`` alone, so a resumed run needs no state. It is
    ``sigmoid_rampup(iter // rampup_interval, rampup_iters / rampup_interval)``; the defaults are the paper's on NEU-Seg
    (on DAGM 12000 and 60). A schedule that is shorter than the ramp never reaches full weight, and should not: while the
    branches know little, their agreement teaches them to predict nothing.

    Before the first iteration :func:`simeps_mmseg.engine.checks.check_experiment` looks at the whole experiment.

    Every ``health_interval`` iterations the log gets, averaged over these iterations, ``agreement`` (share of unlabelled
    pixels on which all branches agree), ``pseudo_share.<class>`` (share of the pseudo-labelled pixels) and
    ``label_share.<class>`` (share of the labelled pixels): the two should not drift apart. Where the first falls below
    ``starving`` times the second there is a warning, once per class until it recovers: the branches are teaching each other
    that the class does not exist. After the first interval there is one of classes that no label has shown.

    Args:
        rampup_iters: Iterations until full weight; a float in (0, 1] is a share of ``max_iters``. 0: no ramp.
        rampup_interval: The weight changes once in so many iterations. None: 150, or 1 for a share and for ramps shorter than
            that.
        health_interval: Iterations between two looks at the pseudo-labels. 0: never.
        starving: Fraction of its labelled share below which a class is warned about. 0: never.
        starving_after: No warning in the first so many iterations, when no class is known yet.

    Raises:
        UserError: On a negative number, a float outside (0, 1], or an interval longer than the ramp.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        rampup_iters: int | float = 30000,
        rampup_interval: int | None = None,
        health_interval: int = 50,
        starving: float = 0.25,
        starving_after: int = 500,
    ) -> None:
        if rampup_iters < 0 or (isinstance(rampup_iters, float) and not 0 < rampup_iters <= 1):
            raise UserError(
                'SemiSupervisedHook.rampup_iters must be a count of iterations (an integer of 0 or more) or a share of '
                f'max_iters (a float in (0, 1]), got {rampup_iters!r}'
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
        self.rampup_iters = rampup_iters
        self.rampup_interval = rampup_interval
        if not 0 <= starving < 1 or starving_after < 0:
            raise UserError(
                'SemiSupervisedHook: starving is a fraction in [0, 1) and starving_after 0 or more iterations, got '
                f'{starving} and {starving_after}'
            )
        self.health_interval = health_interval
        self.starving = starving
        self.starving_after = starving_after
        self._starving: set[str] = set()
        self._looked_for_absent = False
        self._health: PseudoLabelHealth | None = None

    def rampup(self, iteration: int, max_iters: int) -> float:
        """The factor at an iteration, in (0, 1]."""
        return sigmoid_rampup(iteration // self.rampup_interval, self._length(max_iters) / self.rampup_interval)

    def cut_off(self, max_iters: int) -> str:
        """A sentence on where a ramp ends that is longer than the training; empty where it is not."""
        if self._length(max_iters) <= max_iters:
            return ''
        return (
            f'SemiSupervisedHook.rampup_iters={self.rampup_iters} is more than max_iters={max_iters}: the ramp ends at '
            f'{self.rampup(max_iters, max_iters):.3f} of the full weight'
        )

    def _length(self, max_iters: int) -> int:
        share = isinstance(self.rampup_iters, float)
        return round(self.rampup_iters * max_iters) if share else self.rampup_iters

    def before_train(self, runner: Runner) -> None:
        """Check everything that can be checked before the first iteration."""
        model = unwrapped(runner.model)
        check_experiment(runner.train_loop, model, runner.val_loop)
        cut_off = self.cut_off(runner.max_iters)
        if cut_off:
            print_log(cut_off, logger='current', level=logging.WARNING)
        if self.health_interval:
            self._health = PseudoLabelHealth(runner.train_loop.dataloader.dataset.metainfo['classes'])

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set the ramp of this iteration."""
        factor = self.rampup(runner.iter, runner.max_iters)
        model = unwrapped(runner.model)
        model.set_rampup(factor)
        if getattr(model, 'cross_pseudo', None) is not None:
            weight = model.cross_pseudo.loss_weight * (factor if model.cross_pseudo.ramp else 1.0)
            runner.message_hub.update_scalar('train/consistency_weight', weight)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Add this step to the statistics; log them at the interval."""
        if self._health is None:
            return
        self._health.update(unwrapped(runner.model).last_step)
        if self.every_n_train_iters(runner, self.health_interval):
            statistics = self._health.compute()
            for name, value in statistics.items():
                runner.message_hub.update_scalar(f'train/{name}', value)
            if not self._looked_for_absent:
                self._warn_of_absent(runner.iter + 1, statistics)
            if runner.iter + 1 > self.starving_after:
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


def unwrapped(model: nn.Module) -> nn.Module:
    """The segmentor inside a wrapper for several processes."""
    return model.module if is_model_wrapper(model) else model
