"""Logs what the pseudo-labels say, and warns where they forget a class."""

import logging

from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...utils import UserError
from ..pseudo_label_health import PseudoLabelHealth
from ..ramp import check_share
from ..starvation import STARVING, STARVING_AFTER_SHARE, StarvationWatch, absent_classes, judged_after, weighs_classes
from .access import unwrapped
from .consistency_ramp import BEGIN

HEALTH = 'pseudo_label_health'  # key in the checkpoints
LOOKS = 10  # at the pseudo-labels, in an interval


class PseudoLabelStatisticsHook(Hook):
    """Logs agreement and class shares of the pseudo-labels at an interval, averaged over it and over all processes.

    Labels are counted in each iteration, pseudo-labels and predictions in :data:`LOOKS` of an interval: a look at whole maps
    of all branches costs some percent of a step.

    Args:
        interval: Iterations between two entries of the log. 0: never.
        starving: Fraction of its labelled share below which a class is warned about, both taken over one interval (the report
            takes the mean of five lines of the log). 0: never.
        starving_after_share: Share of the schedule after the beginning of the ramp in which there is no such warning: hardly
            any class is known yet.

    Attributes:
        latest: The statistics of the last interval, as :meth:`PseudoLabelHealth.compute` gives them.

    Raises:
        UserError: On a number out of range.
    """

    def __init__(
        self, interval: int = 50, starving: float = STARVING, starving_after_share: float = STARVING_AFTER_SHARE
    ) -> None:
        if interval < 0:
            raise UserError(f'SemiSupervisedHook.health_interval must be 0 or more, got {interval}')
        if not 0 <= starving < 1:
            raise UserError(f'SemiSupervisedHook.starving is a fraction in [0, 1), got {starving}')
        check_share('starving_after_share', starving_after_share, zero=True, one=False)
        self.interval = interval
        self.starving_after_share = starving_after_share
        self.latest: dict[str, float] = {}
        self._watch = StarvationWatch(starving)
        self._looked_for_absent = False
        self._health: PseudoLabelHealth | None = None
        self._loaded: dict | None = None

    def before_train(self, runner: Runner) -> None:
        """Take the names of the classes; go on from what a resumed checkpoint knows."""
        branches = unwrapped(runner.model).branches
        self._watch.has_class_weights = weighs_classes(branches)
        if self.interval:
            self._health = PseudoLabelHealth(runner.train_loop.dataloader.dataset.metainfo['classes'])
        if runner.iter > 0 and self._loaded is not None:
            self.latest = dict(self._loaded['statistics'])
            self._looked_for_absent = bool(self.latest)
            self._watch.known = set(self._loaded.get('starving', ()))
            if self._health is not None and self._loaded['health'] is not None and is_main_process():
                self._health.load_state_dict(self._loaded['health'], get_device())

    def before_checkpoint(self, runner: Runner) -> None:
        """Hand what all processes have seen to the first one, which saves it, and which holds it after a resume, too."""
        if self._health is not None:
            self._health.add_up()
            if not is_main_process():
                self._health.reset()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the pseudo-labels looked like: the guard decides by it, after a resume as before."""
        health = None if self._health is None else self._health.state_dict()
        checkpoint[HEALTH] = dict(statistics=dict(self.latest), health=health, starving=sorted(self._watch.known))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read the kept statistics; ``before_train`` takes them over if the training goes on from this checkpoint."""
        self._loaded = checkpoint.get(HEALTH)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Add this step to the statistics; log them at the interval."""
        if self._health is None:
            return
        step = unwrapped(runner.model).last_step
        if self.every_n_train_iters(runner, max(1, self.interval // LOOKS)) or self.every_n_train_iters(
            runner, self.interval
        ):
            self._health.update(step)
        else:
            self._health.update_labels(step)
        if self.every_n_train_iters(runner, self.interval):
            self._health.add_up()
            self.latest = self._health.compute()
            self._health.reset()
            for name, value in self.latest.items():
                runner.message_hub.update_scalar(f'train/{name}', value)
            self._warn(runner)

    def _warn(self, runner: Runner) -> None:
        iteration, begin = runner.iter + 1, runner.message_hub.runtime_info.get(BEGIN, 0)
        absent = [] if self._looked_for_absent else absent_classes(self.latest)
        self._looked_for_absent = True
        if absent:
            print_log(
                f'iteration {iteration}: no label so far shows {", ".join(absent)}. What no label shows is not learned; '
                'simeps check_dataset counts the pixels of each class and lists values that are no class',
                logger='current',
                level=logging.WARNING,
            )
        if iteration > judged_after(begin, runner.max_iters, self.starving_after_share):
            for level, text in self._watch.news(self.latest):
                print_log(f'iteration {iteration}: {text}', logger='current', level=level)
