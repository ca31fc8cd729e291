"""What labels alone reached on validation, and what has gone wrong since."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..pseudo_label_health import by_class

# Below these shares of what labels alone reached, something is lost, not merely worse.
DEAD_BRANCH = 0.5
LOST_CLASS = 0.2
LOST_SCORE = 0.7
FOUND = 1.0  # IoU in per cent from which on a class counts as found
ALL_AGREE = 0.9995


@dataclass(frozen=True)
class Reference:
    """The validation of labels alone.

    Attributes:
        iteration: When it was taken.
        key: The score that decides, such as ``mIoU_fg``.
        metrics: All scores of that validation, in per cent.
    """

    iteration: int
    key: str
    metrics: Mapping[str, float]

    @property
    def score(self) -> float:
        """The score that decides; minus infinity where it is not a number."""
        return number(self.metrics[self.key])

    @property
    def top(self) -> float:
        """The best of the score that decides and those of the branches."""
        return max(map(number, (self.score, *self.branches)))

    @property
    def branches(self) -> list[float]:
        """The score of each branch; empty where the metric does not give them."""
        return branch_scores(self.metrics, self.key)


def number(score: float) -> float:
    """A score; minus infinity for NaN."""
    return -math.inf if math.isnan(score) else score


def branch_scores(metrics: Mapping[str, float], key: str) -> list[float]:
    """``branch_0.<key>``, ``branch_1.<key>``, ... as far as they are there."""
    values: list[float] = []
    while (name := f'branch_{len(values)}.{key}') in metrics:
        values.append(metrics[name])
    return values


def foreground(metrics: Mapping[str, float]) -> dict[str, float]:
    """IoU of each class but the first, in per cent."""
    return dict(list(by_class(metrics, 'IoU').items())[1:])


def not_found(metrics: Mapping[str, float]) -> list[str]:
    """Foreground classes that validation has and the network does not find."""
    return [name for name, iou in foreground(metrics).items() if iou < FOUND]


def losses_since(reference: Reference, metrics: Mapping[str, float], vanished: Iterable[str] = ()) -> Iterator[str]:
    """What is lost of what labels alone reached: the score, a class, a branch. Each a reason to step back.

    Args:
        reference: The validation of labels alone.
        metrics: A later validation.
        vanished: Classes that all branches agree not to see (:func:`empty_agreement`). Of images that hardly show them that is
            right, so validation has to confirm it.

    Example:
        >>> reference = Reference(0, 'mIoU_fg', {'mIoU_fg': 60.0, 'IoU.ok': 95.0, 'IoU.pit': 60.0})
        >>> list(losses_since(reference, {'mIoU_fg': 3.0, 'IoU.ok': 95.0, 'IoU.pit': 3.0}))
        ['mIoU_fg is 3.0, with labels alone it was 60.0', 'pit has an IoU of 3.0, with labels alone it had 60.0']
    """
    key, score = reference.key, metrics[reference.key]
    if reference.score > 0 and not score >= LOST_SCORE * reference.score:  # also NaN
        yield f'{key} is {score:.1f}, with labels alone it was {reference.score:.1f}'
    now = foreground(metrics)
    for name, before in foreground(reference.metrics).items():
        after = now.get(name, math.nan)
        if before >= FOUND and not after >= LOST_CLASS * before:
            yield f'{name} has an IoU of {after:.1f}, with labels alone it had {before:.1f}'
        elif before >= FOUND and name in vanished and after < before:
            yield f'all branches agree everywhere, without {name}, whose IoU is {after:.1f} (labels alone: {before:.1f})'
    for k, (before, after) in enumerate(zip(reference.branches, branch_scores(metrics, key))):
        if before > 0 and not after >= DEAD_BRANCH * before:
            yield f'branch {k} is dead: its {key} is {after:.1f}, with labels alone it was {before:.1f}'


def empty_agreement(statistics: Mapping[str, float]) -> list[str]:
    """Classes that the pseudo-labels have lost while all branches agree everywhere.

    Args:
        statistics: As :meth:`PseudoLabelHealth.compute` gives them.
    """
    if statistics.get('agreement', 0.0) < ALL_AGREE:
        return []
    shown = by_class(statistics, 'label_share')
    return [name for name, share in by_class(statistics, 'pseudo_share').items() if not share and shown.get(name)]
