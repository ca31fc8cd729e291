"""What the guard of labels alone remembers between validations, and what it concludes from one."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...evaluation.functional import without_prefix
from .reference import Reference, losses_since


@dataclass
class GuardState:
    """The course of a guarded training.

    Attributes:
        reference: The validation of labels alone that later ones are compared with: that of the network which is kept. None as
            long as there is none.
        labels_best: The one with the highest score that decides, which is what is to be beaten. Another one where a branch was
            best at another time than all together.
        best: The best score of all validations from the reference on; minus infinity before.
        stepped_back: How often the networks went back.
        below: Validations in a row below labels alone.
        not_below: Iteration of the last validation that was not, or after which the networks went back.
        events: What was lost and when, each ``dict(iteration=..., text=...)``.
    """

    reference: Reference | None = None
    labels_best: Reference | None = None
    best: float = -math.inf
    stepped_back: int = 0
    below: int = 0
    not_below: int = 0
    events: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels_best = self.labels_best or self.reference

    def factor(self, attempts: int) -> float:
        """On all that labels do not say: a half for each step back, and zero from the last attempt on."""
        return 0.5**self.stepped_back if self.stepped_back < attempts else 0.0

    def take(self, candidate: Reference) -> bool:
        """Take a validation of labels alone as the reference, if it is better than the one there is.

        The best of the score that decides and of the branches goes first, the score that decides second.
        """
        if self.labels_best is None or candidate.score > self.labels_best.score:
            self.labels_best = candidate
        known = self.reference
        if known is not None and (candidate.top, candidate.score) <= (known.top, known.score):
            return False
        self.reference = candidate
        self.not_below = candidate.iteration
        return True

    def count_best(self, iteration: int, scores: Mapping[str, float]) -> None:
        """Keep the best score, if there is a reference."""
        if self.reference is not None:
            self.best = max(self.best, Reference(iteration, self.reference.key, scores).score)

    def losses(self, now: Reference, vanished: Iterable[str], patience: int, patience_iters: int = 0) -> list[str]:
        """What a validation lost of the reference: reasons to go back. Counts the validations below it.

        Args:
            now: The validation.
            vanished: Classes that all branches agree not to see.
            patience: Validations in a row below the reference that are too many,
            patience_iters: if so many iterations have passed since the last that was not.
        """
        reference, labels_best = self._taken()
        key, before = reference.key, labels_best.score
        if now.score < before:
            self.below += 1
        else:
            self.below, self.not_below = 0, now.iteration
        lost = list(losses_since(reference, now.metrics, vanished))
        if self.below >= patience and now.iteration - self.not_below >= patience_iters:
            lost.append(f'{key} has been below that of labels alone ({before:.1f}) for {self.below} validations')
        return lost

    def outcome(self) -> str:
        """A sentence on what the unlabelled images brought on validation."""
        _, labels_best = self._taken()
        key, before = labels_best.key, labels_best.score
        if self.best > before:
            return (
                f'{key} on validation: {before:.2f} with labels alone, {self.best:.2f} with the best checkpoint '
                f'({self.best - before:+.2f})'
            )
        return (
            f'nothing was gained on validation: the best {key} is that of labels alone ({before:.2f}, iteration '
            f'{labels_best.iteration}), and so are the weights of the best checkpoint'
        )

    def _taken(self) -> tuple[Reference, Reference]:
        if self.reference is None or self.labels_best is None:
            raise RuntimeError('there is no validation of labels alone yet: call take() first')
        return self.reference, self.labels_best

    def to_record(self) -> dict:
        """The state as plain values, for checkpoints and JSON."""
        taken = dict(reference=self.reference, labels_best=self.labels_best)
        return dict(
            **{name: one and dict(vars(one), metrics=dict(one.metrics)) for name, one in taken.items()},
            best=self.best if math.isfinite(self.best) else None,
            stepped_back=self.stepped_back,
            below=self.below,
            not_below=self.not_below,
            events=self.events,
        )

    @classmethod
    def from_record(cls, record: Mapping) -> 'GuardState':
        """The inverse of :meth:`to_record`."""
        taken = (record['reference'], record.get('labels_best'))  # records from before there were two have one
        reference, labels_best = (
            Reference(one['iteration'], one['key'].rsplit('/', 1)[-1], without_prefix(one['metrics'])) if one else None
            for one in taken
        )
        best = -math.inf if record['best'] is None else record['best']
        return cls(
            reference,
            labels_best,
            best,
            record['stepped_back'],
            record['below'],
            record['not_below'],
            list(record['events']),
        )
