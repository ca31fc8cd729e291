"""When the losses on what labels do not say begin to count, and how fast."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real

from ..utils import UserError

DEFAULT_RAMPUP_ITERS = 30000
PAPER_INTERVAL = 150  # iterations between two changes of w(t) in the released code
ENOUGH_ON_LABELS = 500  # iterations; chosen by what small U-Nets took on a few sets, not measured beyond them
ENOUGH_FROM_TRAINED = 1200  # iterations; those of docs/gains.md, fewer are hardly measured with simEps-plus


def sigmoid_rampup(step: float, length: float) -> float:
    """exp(-5 (1 - min(step, length) / length)^2): from 0.0067 at step 0 to 1 at ``length`` and after.

    Source: Laine and Aila, ICLR 2017; Sime et al. 2022 multiply it by 0.1.

    Raises:
        ValueError: If ``step`` or ``length`` is negative.

    Example:
        >>> round(sigmoid_rampup(0, 200), 6), sigmoid_rampup(300, 200), sigmoid_rampup(0, 0)
        (0.006738, 1.0, 1.0)
    """
    if step < 0 or length < 0:
        raise ValueError(f'step and length must not be negative, got {step} and {length}')
    if length == 0:
        return 1.0
    missing = 1.0 - min(step, length) / length
    return math.exp(-5.0 * missing * missing)


@dataclass(frozen=True)
class RampSchedule:
    """A stretch on labels alone, then a ramp from zero to one.

    Each length is a count of iterations (``..._iters``) or a share of the schedule (``..._share`` of ``max_iters``).

    Attributes:
        rampup_iters: Iterations from the beginning of the ramp to full weight; 30,000 where no share is given. 0: no ramp.
        rampup_share: The same as a share of the schedule, in (0, 1].
        rampup_interval: The weight changes once in so many iterations. None: 150, or 1 for a share and for ramps shorter than
            that.
        labels_only_iters: Iterations on labels alone, before the ramp; 0 where no share is given.
        labels_only_share: The same as a share of the schedule, in [0, 1).
        from_zero: Whether the ramp begins at exactly zero.

    Raises:
        UserError: On a number out of range, a length given twice, or an interval longer than ``rampup_iters``.
    """

    rampup_iters: int | None = None
    rampup_share: float | None = None
    rampup_interval: int | None = None
    labels_only_iters: int | None = None
    labels_only_share: float | None = None
    from_zero: bool = True

    def __post_init__(self) -> None:
        check_length('rampup', self.rampup_iters, self.rampup_share)
        check_length('labels_only', self.labels_only_iters, self.labels_only_share)
        check_share('rampup_share', self.rampup_share, zero=False, one=True)
        check_share('labels_only_share', self.labels_only_share, zero=True, one=False)
        if self.rampup_interval is not None and self.rampup_interval < 1:
            raise UserError(f'SemiSupervisedHook.rampup_interval must be 1 or more, got {self.rampup_interval}')
        if self.rampup_share is None and 0 < self._rampup_iters < self.interval:
            raise UserError(
                f'SemiSupervisedHook: a ramp of rampup_iters={self._rampup_iters} that changes every rampup_interval='
                f'{self.interval} iterations is a jump; lower the interval'
            )

    @property
    def _rampup_iters(self) -> int:
        return DEFAULT_RAMPUP_ITERS if self.rampup_iters is None else self.rampup_iters

    @property
    def interval(self) -> int:
        """Iterations between two changes of the weight."""
        if self.rampup_interval is not None:
            return self.rampup_interval
        return 1 if self.rampup_share is not None or self._rampup_iters < PAPER_INTERVAL else PAPER_INTERVAL

    def rampup_length(self, max_iters: int) -> int:
        """Iterations from the beginning of the ramp to full weight."""
        return self._rampup_iters if self.rampup_share is None else round(self.rampup_share * max_iters)

    def labels_only_length(self, max_iters: int) -> int:
        """Iterations on labels alone of a training from nothing."""
        if self.labels_only_share is not None:
            return round(self.labels_only_share * max_iters)
        return self.labels_only_iters or 0

    def rampup(self, iteration: int, max_iters: int, begin: int | None = None) -> float:
        """The factor at an iteration, in [0, 1].

        It is ``sigmoid_rampup(i // interval, length / interval)``, i counted from the beginning of the ramp, with
        ``from_zero`` less its value at step 0 and scaled to reach one.

        Args:
            iteration: Counted from 0.
            max_iters: Length of the schedule.
            begin: Iteration at which the ramp begins; None: that of a training from nothing.

        Example:
            >>> schedule = RampSchedule(rampup_share=0.5, labels_only_share=0.25)
            >>> [round(schedule.rampup(i, max_iters=8), 2) for i in range(8)]
            [0.0, 0.0, 0.0, 0.05, 0.28, 0.73, 1.0, 1.0]
        """
        iteration -= self.labels_only_length(max_iters) if begin is None else begin
        if iteration < 0:
            return 0.0
        length = self.rampup_length(max_iters) / self.interval
        value, first = (sigmoid_rampup(step, length) for step in (iteration // self.interval, 0))
        return (value - first) / (1 - first) if self.from_zero and first < 1 else value

    def warnings(self, max_iters: int, is_trained: bool) -> Iterator[str]:
        """Sentences on a schedule that is too short: for its ramp, for what unlabelled images teach a trained network or,
        from nothing, for its stretch on labels alone.

        Args:
            max_iters: Length of the schedule.
            is_trained: Whether the training starts from a network that was trained on labels.
        """
        labels, ramp = 0 if is_trained else self.labels_only_length(max_iters), self.rampup_length(max_iters)
        if labels + ramp > max_iters:
            key = 'rampup_iters' if self.rampup_share is None else 'rampup_share'
            given = self._rampup_iters if self.rampup_share is None else self.rampup_share
            yield (
                f'SemiSupervisedHook.{key}={given} is more than max_iters={max_iters} leaves: the ramp ends at '
                f'{self.rampup(max_iters, max_iters, begin=labels):.3f} of the full weight (of losses with ramp=True)'
            )
        if is_trained and max_iters < ENOUGH_FROM_TRAINED:
            yield (
                f'max_iters={max_iters} iterations are few from a trained network: what unlabelled images bring was measured '
                f'with {ENOUGH_FROM_TRAINED}. Train as many or more'
            )
        if 0 < labels < ENOUGH_ON_LABELS:
            share = self.labels_only_share
            needed = f'train {math.ceil(ENOUGH_ON_LABELS / share)} or more' if share else 'give them more'
            yield (
                f'labels alone get the first {labels} of max_iters={max_iters} iterations, and to find every class networks '
                f'need some {ENOUGH_ON_LABELS}: {needed}, or start from a trained network (load_from)'
            )


def check_length(name: str, iters: int | None, share: float | None) -> None:
    """Check that a length of ``SemiSupervisedHook`` is given once, and its count is one.

    Args:
        name: Of the length; its config keys are ``<name>_iters`` and ``<name>_share``.
        iters: Value of the first, None where it is not given.
        share: Value of the second, likewise.

    Raises:
        UserError: On another count, or both.
    """
    if iters is not None and (isinstance(iters, bool) or not isinstance(iters, int) or iters < 0):
        is_share = isinstance(iters, float) and 0 < iters <= 1
        advice = f'; for a share of max_iters write {name}_share={iters!r} in its place' if is_share else ''
        raise UserError(
            f'SemiSupervisedHook.{name}_iters must be a count of iterations, an integer of 0 or more, got {iters!r}{advice}'
        )
    if iters is not None and share is not None:
        raise UserError(
            f'SemiSupervisedHook: {name}_iters={iters} and {name}_share={share} say the same thing twice; '
            'give one, and set the other to None where a base config has it'
        )


def check_share(key: str, value: float | None, zero: bool, one: bool) -> None:
    """Check a share of the schedule that ``SemiSupervisedHook`` gets.

    Args:
        key: Its config key.
        value: What is given; None: nothing.
        zero: Whether 0 is allowed.
        one: Whether 1 is allowed.

    Raises:
        UserError: If it is no number in that range.
    """
    if value is None:
        return
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1 or (value == 0 and not zero) or (value == 1 and not one):
        limits = f'{"[" if zero else "("}0, 1{"]" if one else ")"}'
        raise UserError(f'SemiSupervisedHook.{key} must be a share of max_iters, a number in {limits}, got {value!r}')
