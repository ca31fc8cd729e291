"""What a semi-supervised training needs beside its model, in one line of a config."""

from inspect import signature
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...utils import UserError
from ..ramp import RampSchedule
from ..starvation import STARVING, STARVING_AFTER_SHARE
from .consistency_ramp import ConsistencyRampHook
from .preflight import ExperimentCheckHook
from .process_seeds import ProcessSeedHook
from .pseudo_label_statistics import PseudoLabelStatisticsHook
from .teacher_updates import TeacherUpdateHook


@HOOKS.register_module()
class SemiSupervisedHook(Hook):
    """Checks the experiment, ramps the losses that declare ``ramp=True``, and watches the pseudo-labels.

    It is made of five hooks, each with one task (``parts``):

    - :class:`ProcessSeedHook` lets each of several processes draw views, CutMix and dropout of its own.
    - :class:`ExperimentCheckHook` looks at the whole experiment before the first iteration.
    - :class:`ConsistencyRampHook` sets the ramp. A training that starts from nothing first learns from labels alone; one that
      starts from weights (``load_from``) has done so already. Then the ramp rises from exactly zero to one:
      ``sigmoid_rampup(iter // rampup_interval, rampup_length / rampup_interval)``, less its value at step 0. With
      ``from_zero=False`` it is that function itself, as in the released code, and begins at 0.0067.
    - :class:`TeacherUpdateHook` lets the teachers move once per update of the weights.
    - :class:`PseudoLabelStatisticsHook` logs, averaged over ``health_interval`` iterations, ``agreement`` (share of unlabelled
      pixels on which all branches agree), ``pseudo_share.<class>`` (share of the pseudo-labelled pixels) and
      ``label_share.<class>`` (share of the labelled pixels): the two should not drift apart. Where the first falls below
      ``starving`` times the second there is a warning, once per class until it recovers: the branches are teaching each
      other that the class does not exist. After the first interval there is one of classes that no label has shown.

    A length is a count of iterations (``..._iters``) or a share of ``max_iters`` (``..._share``).

    Args:
        rampup_iters: Iterations from the beginning of the ramp to full weight; 30,000 where no share is given. 0: no ramp.
        rampup_share: The same as a share, in (0, 1].
        rampup_interval: The weight changes once in so many iterations. None: 150, or 1 for a share and for ramps shorter than
            that.
        labels_only_iters: Iterations before the ramp; 0 where no share is given.
        labels_only_share: The same as a share, in [0, 1).
        from_zero: Whether the ramp begins at exactly zero.
        health_interval: Iterations between two looks at the pseudo-labels. 0: never.
        starving: Fraction of its labelled share below which a class is warned about; both shares are of one
            ``health_interval``. 0: never. The report judges by the same fraction, over the mean of five lines of the log.
        starving_after_share: No such warning in this share of ``max_iters`` after the ramp began, when hardly any class is
            known yet; in [0, 1).

    Raises:
        UserError: On a number out of range, a length given twice, an interval longer than ``rampup_iters``, or another option.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        rampup_iters: int | None = None,
        rampup_share: float | None = None,
        rampup_interval: int | None = None,
        labels_only_iters: int | None = None,
        labels_only_share: float | None = None,
        from_zero: bool = True,
        health_interval: int = 50,
        starving: float = STARVING,
        starving_after_share: float = STARVING_AFTER_SHARE,
        **others: Any,
    ) -> None:
        for name, value in others.items():
            raise UserError(unknown_option(name, value))
        self.schedule = RampSchedule(
            rampup_iters, rampup_share, rampup_interval, labels_only_iters, labels_only_share, from_zero
        )
        self.parts = (
            ProcessSeedHook(),
            ExperimentCheckHook(),
            ConsistencyRampHook(self.schedule),
            TeacherUpdateHook(),
            PseudoLabelStatisticsHook(health_interval, starving, starving_after_share),
        )

    def before_train(self, runner: Runner) -> None:
        """Seed the generators by process; check the experiment; settle when the ramp begins."""
        for part in self.parts:
            part.before_train(runner)

    def before_checkpoint(self, runner: Runner) -> None:
        """Bring together what the parts of all processes know."""
        for part in self.parts:
            if hasattr(part, 'before_checkpoint'):
                part.before_checkpoint(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the parts have to remember."""
        for part in self.parts:
            part.before_save_checkpoint(runner, checkpoint)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give the parts what they kept in the checkpoint."""
        for part in self.parts:
            part.after_load_checkpoint(runner, checkpoint)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set the ramp of this iteration."""
        for part in self.parts:
            part.before_train_iter(runner, batch_idx, data_batch)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Add this step to the statistics."""
        for part in self.parts:
            part.after_train_iter(runner, batch_idx, data_batch, outputs)


def unknown_option(name: str, value: Any) -> str:
    """What to write in place of an option that is not there: the same length as a count or as a share, if that is one.

    Example:
        >>> unknown_option('labels_only', 0.25)
        'SemiSupervisedHook has no labels_only; write labels_only_share=0.25 (a share of max_iters) in its place'
    """
    options = [option for option in signature(SemiSupervisedHook).parameters if option != 'others']
    key = f'{name}_share' if isinstance(value, float) else f'{name}_iters'
    kind = 'a share of max_iters' if isinstance(value, float) else 'a count of iterations'
    if key in options:
        return f'SemiSupervisedHook has no {name}; write {key}={value!r} ({kind}) in its place'
    if f'{name}_share' in options:
        return (
            f'SemiSupervisedHook has no {name}; write {name}_share, a share of max_iters, in its place (got {value!r})'
        )
    return f'SemiSupervisedHook has no {name}; it has {", ".join(options)}'
