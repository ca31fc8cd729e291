"""A finding of the report, and what is known of a training beside its log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..engine.starvation import STARVING, STARVING_AFTER_SHARE


class Finding(NamedTuple):
    """One thing to know.

    Attributes:
        serious: Whether it is a reason not to trust the result; else it is good to know.
        text: One or two sentences with what to do.
    """

    serious: bool
    text: str


@dataclass(frozen=True)
class RunContext:
    """Facts about a training that its log does not hold.

    Attributes:
        max_iters: Iterations that were asked for.
        max_epochs: Epochs, where the training counts those.
        has_checkpoint: Whether there is one to go on from.
        keeps_best: Whether the best checkpoint by validation was kept.
        networks: How many learn from each other; 0 where that is not known.
        decided_by: The score that chose the best checkpoint (``save_best``).
        labels_only: What ``LabelsOnlyGuardHook`` recorded.
        starving: Fraction of its labelled share below which a class starves (``SemiSupervisedHook.starving``).
        starving_after_share: Share of ``max_iters`` after the ramp began in which no class is said to starve.
        has_class_weights: Whether a loss weighs classes.
    """

    max_iters: int | None = None
    max_epochs: int | None = None
    has_checkpoint: bool = True
    keeps_best: bool = False
    networks: int = 0
    decided_by: str | None = None
    labels_only: Mapping | None = None
    starving: float = STARVING
    starving_after_share: float = STARVING_AFTER_SHARE
    has_class_weights: bool = False


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Serious ones first, else in the order in which they come."""
    return sorted(findings, key=lambda finding: not finding.serious)
