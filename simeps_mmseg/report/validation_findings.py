"""What the validations of a training say: how the score went, classes that are hardly found, branches that lag behind."""

from collections.abc import Iterator

import numpy as np

from ..evaluation.functional import DECIDING, PART_SCORES
from ..visualization.training_log import TrainingLog, class_names, num_branches
from .finding import Finding, RunContext

HARDLY_FOUND = 10.0  # IoU in per cent
LAGGING = 5.0  # points


def validation_findings(log: TrainingLog, run: RunContext) -> Iterator[Finding]:
    """What validations say of the score that decides, then of each class."""
    key = deciding_score(log, run.decided_by)
    if key is None:
        told = (
            f'no {", ".join(DECIDING[:-1])} or {DECIDING[-1]}' if log.val else 'no validation (train_cfg.val_interval)'
        )
        yield Finding(False, f'The training log has {told}.')
        return
    steps, values = log.series(key, 'val')
    known = np.isfinite(values)
    if not known.any():
        yield Finding(True, f'{key} is undefined in every validation: no validation image shows a defect.')
        return
    best = int(np.nanargmax(values))
    if np.isfinite(values[-1]) and values[best] - values[-1] > 1:
        advice = (
            'The best checkpoint was kept.'
            if run.keeps_best
            else f"Keep the best checkpoint with default_hooks.checkpoint.save_best='{key}'."
        )
        yield Finding(
            not run.keeps_best,
            f'The best validation ({key} {values[best]:.1f} at iteration {int(steps[best]):,}) is '
            f'{values[best] - values[-1]:.1f} points above the last one. {advice}',
        )
    elif len(values) > 2 and best == len(values) - 1 and values[-1] - values[-2] > 0.5:
        yield Finding(
            False, f'{key} still rose by {values[-1] - values[-2]:.1f} points at the last validation: train longer.'
        )
    for name in class_names(log):
        score = log.series(f'IoU.{name}', 'val')[1]
        if len(score) and score[-1] < HARDLY_FOUND:
            yield Finding(True, f'{name} is hardly found: IoU {score[-1]:.1f} % at the last validation.')


def lagging_branches(log: TrainingLog, run: RunContext) -> Iterator[Finding]:
    """The worst branch, where it is far behind the best."""
    key, last = last_of_branches(log, run)
    if len(last) and np.nanmax(last) - np.nanmin(last) > LAGGING:
        yield Finding(
            False,
            f'Branch {int(np.nanargmin(last))} is {np.nanmax(last) - np.nanmin(last):.1f} points of {key} behind branch '
            f'{int(np.nanargmax(last))}. To run one network only, export the best (simeps export --branch best).',
        )


def last_of_branches(log: TrainingLog, run: RunContext) -> tuple[str | None, np.ndarray]:
    """The score that decides, and the last one of each branch, shape (K,); empty for less than two."""
    key = deciding_score(log, run.decided_by)
    branches = [log.series(f'branch_{k}.{key}', 'val')[1] for k in range(num_branches(log))] if key else []
    known = len(branches) > 1 and all(len(values) for values in branches)
    return key, np.array([values[-1] for values in branches]) if known else np.zeros(0)


def deciding_score(log: TrainingLog, decided_by: str | None = None) -> str | None:
    """The score that decides which validation is best; None without validations.

    Args:
        log: Of a training.
        decided_by: The score that chose the best checkpoint, if that is known. Errors about parts are passed over: findings
            and tables take the greatest score for the best.
    """
    keys = [key for key in log.scalars('val') if key not in PART_SCORES]
    return next((key for key in (decided_by, *DECIDING) if key in keys), None)
