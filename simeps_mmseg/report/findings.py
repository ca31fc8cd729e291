"""What a training log says, in plain words."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..visualization.curves import SCORES
from ..visualization.training_log import TrainingLog, class_names

# Shares of a class are means over this many log lines: one line is of a few images, and a rare class is not in all of them.
WINDOW = 5
LOST, RARE, FREQUENT = 0.02, 0.5, 2.0  # of the labelled share
HARDLY_FOUND = 10.0  # IoU in per cent
FEW_IMAGES = 30
WORDS = (
    (0.42, 'half'),
    (0.29, 'a third'),
    (0.22, 'a quarter'),
    (0.17, 'a fifth'),
    (0.07, 'a tenth'),
    (0.04, 'a twentieth'),
)


class Finding(NamedTuple):
    """One thing to know.

    Attributes:
        serious: Whether it is a reason not to trust the result; else it is good to know.
        text: One or two sentences with what to do.
    """

    serious: bool
    text: str


def log_findings(log: TrainingLog, max_iters: int | None = None) -> list[Finding]:
    """All that a log tells: how the run ended, its losses, its pseudo-labels, its validation scores.

    Args:
        log: Of a training.
        max_iters: Iterations that were asked for, where that is known.

    Returns:
        Serious ones first.
    """
    found = [
        *_ending(log, max_iters),
        *_losses(log),
        *_pseudo_labels(log),
        *_validation(log),
        *_branches(log),
    ]
    return sorted(found, key=lambda finding: not finding.serious)


def _ending(log: TrainingLog, max_iters: int | None) -> Iterator[Finding]:
    last = log.last_step
    if max_iters is not None and last < max_iters:
        # The log has a line for each interval; the last one need not fall on the last iteration.
        interval = (
            int(np.median(np.diff([record['step'] for record in log.train]))) if len(log.train) > 1 else max_iters
        )
        if last + interval <= max_iters:
            yield Finding(
                True,
                f'The training stopped at iteration {last:,} of {max_iters:,}. It goes on from its last checkpoint with '
                '--resume; what follows is of what was done until then.',
            )
    for step in log.resumed:
        yield Finding(False, f'The training was resumed at iteration {step:,}.')


def _losses(log: TrainingLog) -> Iterator[Finding]:
    for key in log.scalars():
        if 'loss' not in key:
            continue
        steps, values = log.series(key)
        bad = ~np.isfinite(values)
        if bad.any():
            yield Finding(
                True,
                f'{key} was not a finite number at iteration {int(steps[bad][0]):,} for the first time: the weights are '
                'likely lost from there on. Lower the learning rate, or clip gradients (optim_wrapper.clip_grad).',
            )
            return


def _pseudo_labels(log: TrainingLog) -> Iterator[Finding]:
    for name in class_names(log):
        steps, ratios = share_ratios(log, name)
        if not len(steps):
            continue
        final = ratios[-1]
        below = ratios < RARE
        if below[-1]:
            since = int(steps[np.flatnonzero(~below)[-1] + 1]) if not below.all() else int(steps[0])
            yield Finding(
                True,
                f'{name} fell to {_share_in_words(final)} after iteration {since:,}: the branches teach each other to see '
                'less of it. Try cross_pseudo.balance, a threshold (configs/simeps_plus/) or a longer ramp, or label more '
                'of it.',
            )
        elif below.any():
            first, last = (int(steps[index]) for index in np.flatnonzero(below)[[0, -1]])
            yield Finding(
                False,
                f'{name} was below half of its labelled share among the pseudo-labels from iteration {first:,} to '
                f'{last:,}, and came back.',
            )
        if final > FREQUENT:
            yield Finding(
                True,
                f'{name} takes {final:.1f} times its labelled share among the pseudo-labels at the end. That is an error '
                'unless the unlabelled images hold that much more of it.',
            )


def share_ratios(log: TrainingLog, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Share of a class among the pseudo-labels as a fraction of its share among the labels.

    Args:
        log: Of a training.
        name: Of the class.

    Returns:
        Iterations (n,) int64 and means over the last ``WINDOW`` lines (n,) float64; empty where the log does not say or
        the labels do not show the class.
    """
    steps, pseudo = log.series(f'pseudo_share.{name}')
    labeled = log.series(f'label_share.{name}')[1]
    if len(pseudo) < WINDOW or not len(labeled) or not labeled.mean() > 0:
        return np.zeros(0, np.int64), np.zeros(0)
    means = np.convolve(pseudo, np.ones(WINDOW) / WINDOW, mode='valid')
    return steps[WINDOW - 1 :], means / labeled.mean()


def _share_in_words(ratio: float) -> str:
    if ratio < LOST:
        return 'nothing among the pseudo-labels'
    for limit, words in WORDS:
        if ratio >= limit:
            return f'{words} of its labelled share among the pseudo-labels'
    return 'less than a twentieth of its labelled share among the pseudo-labels'


def _validation(log: TrainingLog) -> Iterator[Finding]:
    key = deciding_score(log)
    if key is None:
        yield Finding(False, 'There was no validation yet, so nothing is known of the quality of the masks.')
        return
    steps, values = log.series(key, 'val')
    known = np.isfinite(values)
    if not known.any():
        yield Finding(True, f'{key} is undefined in every validation: no validation image shows a defect.')
        return
    best = int(np.nanargmax(values))
    if np.isfinite(values[-1]) and values[best] - values[-1] > 1:
        yield Finding(
            True,
            f'The best validation ({key} {values[best]:.1f} at iteration {int(steps[best]):,}) is '
            f'{values[best] - values[-1]:.1f} points above the last one. Keep the best checkpoint with '
            f"default_hooks.checkpoint.save_best='{key}'.",
        )
    elif len(values) > 2 and best == len(values) - 1 and values[-1] - values[-2] > 0.5:
        yield Finding(
            False, f'{key} still rose by {values[-1] - values[-2]:.1f} points at the last validation: train longer.'
        )
    for name in class_names(log):
        score = log.series(f'IoU.{name}', 'val')[1]
        if len(score) and score[-1] < HARDLY_FOUND:
            yield Finding(True, f'{name} is hardly found: IoU {score[-1]:.1f} % at the last validation.')


def _branches(log: TrainingLog) -> Iterator[Finding]:
    key = deciding_score(log)
    branches = [log.series(f'branch_{k}.{key}', 'val')[1] for k in range(_num_branches(log, key))] if key else []
    if len(branches) > 1 and all(len(values) for values in branches):
        last = np.array([values[-1] for values in branches])
        if np.nanmax(last) - np.nanmin(last) > 5:
            yield Finding(
                False,
                f'Branch {int(np.nanargmin(last))} is {np.nanmax(last) - np.nanmin(last):.1f} points of {key} behind branch '
                f'{int(np.nanargmax(last))}: export the best one (tools/export.py --branch best).',
            )
    values = log.series('agreement')[1]
    if len(values) >= WINDOW and values[-WINDOW:].mean() < 0.8:
        yield Finding(
            True,
            f'The branches agree on only {values[-WINDOW:].mean():.0%} of the unlabelled pixels at the end, so a good part of '
            'the pseudo-labels is wrong.',
        )


def deciding_score(log: TrainingLog) -> str | None:
    """The score that decides which validation is best; None without validations."""
    keys = log.scalars('val')
    return next((key for key in SCORES if key in keys), None)


def _num_branches(log: TrainingLog, key: str) -> int:
    keys = log.scalars('val')
    return next(k for k in range(len(keys) + 1) if f'branch_{k}.{key}' not in keys)


def score_findings(matrix: np.ndarray, classes: Sequence[str], num_images: int) -> list[Finding]:
    """What a confusion matrix says of each defect.

    Args:
        matrix: Pixels by true (rows) and predicted class, shape (C, C); class 0 is background.
        classes: C names.
        num_images: How many images were looked at.
    """
    found = []
    for index, name in enumerate(classes[1:], 1):
        actual, predicted, correct = matrix[index].sum(), matrix[:, index].sum(), matrix[index, index]
        if not actual:
            found.append(Finding(False, f'None of the {num_images} images shows {name}, so nothing is known of it.'))
            continue
        missed = 1 - correct / actual
        if missed > 0.3:
            taken = int(np.argmax(np.where(np.arange(len(classes)) == index, -1, matrix[index])))
            found.append(
                Finding(
                    missed > 0.5, f'{missed:.0%} of the pixels of {name} are missed, most of them as {classes[taken]}.'
                )
            )
        if predicted and 1 - correct / predicted > 0.4:
            false = 1 - correct / predicted
            truth = int(np.argmax(np.where(np.arange(len(classes)) == index, -1, matrix[:, index])))
            found.append(
                Finding(
                    false > 0.6, f'{false:.0%} of what is called {name} is something else, most of it {classes[truth]}.'
                )
            )
    if num_images < FEW_IMAGES:
        found.append(Finding(False, f'The scores are of {num_images} images only; they may be off by several points.'))
    return sorted(found, key=lambda finding: not finding.serious)
