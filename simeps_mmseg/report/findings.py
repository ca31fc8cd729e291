"""What a training log says, in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.guard import DEAD_BRANCH
from ..engine.starvation import STARVING, is_starving
from ..evaluation.functional import DECIDING
from ..visualization.training_log import TrainingLog, class_names, num_branches

# Shares of a class are means over this many log lines: one line is of a few images, and a rare class is not in all of them.
WINDOW = 5
LOST, FREQUENT = 0.02, 2.0  # of the labelled share
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


@dataclass(frozen=True)
class Circumstances:
    """What a log does not say of its training.

    Attributes:
        max_iters: Iterations that were asked for.
        max_epochs: Epochs, where the training counts those.
        has_checkpoint: Whether there is one to go on from.
        keeps_best: Whether the best checkpoint by validation was kept.
        networks: How many learn from each other; 0 where that is not known.
        decided_by: The score that chose the best checkpoint (``save_best``).
        labels_only: What ``LabelsOnlyGuardHook`` recorded.
    """

    max_iters: int | None = None
    max_epochs: int | None = None
    has_checkpoint: bool = True
    keeps_best: bool = False
    networks: int = 0
    decided_by: str | None = None
    labels_only: Mapping | None = None


def log_findings(log: TrainingLog, around: Circumstances | None = None) -> list[Finding]:
    """All that a log tells: how the run ended, its losses, its pseudo-labels, its validation scores.

    Args:
        log: Of a training.
        around: What is known beside the log.

    Returns:
        Serious ones first.
    """
    around = around or Circumstances()
    found = [
        *_labels_only(around.labels_only),
        *_dead_branches(log, around),
        *_ending(log, around),
        *_losses(log),
        *_pseudo_labels(log, around),
        *_validation(log, around),
        *_branches(log, around),
    ]
    return sorted(found, key=lambda finding: not finding.serious)


def checks_made(log: TrainingLog) -> list[str]:
    """What :func:`log_findings` had something to look at for."""
    validations = len(log.val)
    compared = sum(bool(len(share_ratios(log, name)[0])) for name in class_names(log))
    made = ['how the training ended', 'its losses']
    made += [f'the pseudo-labels of {compared} classes'] if compared else []
    made += [f'{validations} validation{"s" if validations > 1 else ""}'] if validations else []
    return made


def _labels_only(record: Mapping | None) -> Iterator[Finding]:
    """What was lost of what labels alone reached, and what the unlabelled images brought in the end."""
    if not record or not record['reference']:
        return
    key, events = record['reference']['key'], record['events']
    before, best = record['reference']['metrics'][key], record['best']
    if best is not None and best <= before:
        yield Finding(
            True,
            f'The unlabelled images brought nothing on validation: the best {key} is {before:.1f}, that of labels alone. '
            'The best checkpoint holds those weights, and tools/export.py gives them.',
        )
    elif best is not None:
        yield Finding(
            False,
            f'{key} on validation: {before:.1f} with labels alone, {best:.1f} with the best checkpoint '
            f'({best - before:+.1f}).',
        )
    for event in events[-1:]:
        more = f' ({len(events)} such events in all)' if len(events) > 1 else ''
        yield Finding(True, f'At iteration {event["iteration"]:,}: {event["text"]}{more}.')


def _dead_branches(log: TrainingLog, around: Circumstances) -> Iterator[Finding]:
    key, last = _last_of_branches(log, around)
    for k, score in enumerate(last):
        if score < DEAD_BRANCH * np.nanmax(last):
            yield Finding(
                True,
                f'Branch {k} is dead: its {key} at the last validation is {score:.1f}, that of branch '
                f'{int(np.nanargmax(last))} {np.nanmax(last):.1f}. It has taught the others, too: start from a trained '
                'network (load_from), or give labels alone more of the schedule.',
            )


def _last_of_branches(log: TrainingLog, around: Circumstances) -> tuple[str | None, np.ndarray]:
    """The score that decides, and the last one of each branch, shape (K,); empty for less than two."""
    key = deciding_score(log, around.decided_by)
    branches = [log.series(f'branch_{k}.{key}', 'val')[1] for k in range(num_branches(log))] if key else []
    known = len(branches) > 1 and all(len(values) for values in branches)
    return key, np.array([values[-1] for values in branches]) if known else np.zeros(0)


def _ending(log: TrainingLog, around: Circumstances) -> Iterator[Finding]:
    done = log.train[-1].get('epoch') if around.max_epochs else log.last_step
    wanted, unit = (around.max_epochs, 'epoch') if around.max_epochs else (around.max_iters, 'iteration')
    if wanted is None or done is None:
        yield Finding(
            False, 'How long the training was meant to be is not known, so neither is whether it ended early.'
        )
    else:
        # The log has a line for each interval; the last one need not fall on the last iteration.
        interval = int(np.median(np.diff([0, *(record['step'] for record in log.train)])))
        if done + (1 if around.max_epochs else interval) <= wanted:
            further = ' It goes on from its last checkpoint with --resume.' if around.has_checkpoint else ''
            yield Finding(
                True,
                f'The log ends at {unit} {done:,} of {wanted:,}: the training stopped there, or is still running.{further} '
                'What follows is of what was done until then.',
            )
    for step in log.resumed:
        yield Finding(False, f'The training was resumed shortly before iteration {step:,}.')


def _losses(log: TrainingLog) -> Iterator[Finding]:
    for key in log.scalars():
        if 'loss' not in key:
            continue
        steps, values = log.series(key)
        bad = ~np.isfinite(values)
        if not bad.any():
            continue
        first = f'{key} was not a finite number at iteration {int(steps[bad][0]):,} for the first time'
        if bad[-1]:
            yield Finding(
                True,
                f'{first}, and is none at the end: the weights are likely lost. Lower the learning rate, or clip gradients '
                '(optim_wrapper.clip_grad).',
            )
            return
        yield Finding(False, f'{first}, and was one again at the end.')


def _pseudo_labels(log: TrainingLog, around: Circumstances) -> Iterator[Finding]:
    limit = _fraction_in_words(STARVING)
    why = 'the branches teach each other to see less of it' if around.networks > 1 else 'the network unlearns it'
    for name in class_names(log):
        steps, ratios = share_ratios(log, name)
        if not len(steps):
            continue
        final = ratios[-1]
        below = is_starving(ratios, 1.0)
        if below[-1]:
            if below.all():
                course = f'stands at {_share_in_words(final)} and was never above {limit} of what the labels show'
            else:
                since = int(steps[np.flatnonzero(~below)[-1] + 1])
                course = f'fell to {_share_in_words(final)} after iteration {since:,}'
            yield Finding(
                True,
                f'{name} {course}: {why}. Class weights in the loss on the labels, more iterations or a lower '
                'model.similarity.loss_weight (docs/methods.md) may help, and more labels of it will.',
            )
        elif below.any():
            first, last = (int(steps[index]) for index in np.flatnonzero(below)[[0, -1]])
            yield Finding(
                False,
                f'{name} was below {limit} of its labelled share among the pseudo-labels from iteration {first:,} to '
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
    return f'{_fraction_in_words(ratio)} of its labelled share among the pseudo-labels'


def _fraction_in_words(ratio: float) -> str:
    return next((words for limit, words in WORDS if ratio >= limit), 'less than a twentieth')


def _validation(log: TrainingLog, around: Circumstances) -> Iterator[Finding]:
    key = deciding_score(log, around.decided_by)
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
            if around.keeps_best
            else f"Keep the best checkpoint with default_hooks.checkpoint.save_best='{key}'."
        )
        yield Finding(
            not around.keeps_best,
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


def _branches(log: TrainingLog, around: Circumstances) -> Iterator[Finding]:
    key, last = _last_of_branches(log, around)
    if len(last) and np.nanmax(last) - np.nanmin(last) > 5:
        yield Finding(
            False,
            f'Branch {int(np.nanargmin(last))} is {np.nanmax(last) - np.nanmin(last):.1f} points of {key} behind branch '
            f'{int(np.nanargmax(last))}. To run one network only, export the best (tools/export.py --branch best).',
        )
    values = log.series('agreement')[1]
    if num_branches(log) > 1 and len(values) >= WINDOW and values[-WINDOW:].mean() < 0.8:
        yield Finding(
            True,
            f'The branches agree on only {values[-WINDOW:].mean():.0%} of the unlabelled pixels at the end, so a good part of '
            'the pseudo-labels is wrong.',
        )


def deciding_score(log: TrainingLog, decided_by: str | None = None) -> str | None:
    """The score that decides which validation is best; None without validations.

    Args:
        log: Of a training.
        decided_by: The score that chose the best checkpoint, if that is known.
    """
    keys = log.scalars('val')
    return next((key for key in (decided_by, *DECIDING) if key in keys), None)


def score_findings(matrix: np.ndarray, classes: Sequence[str], num_images: int) -> list[Finding]:
    """What a confusion matrix says of each defect.

    Args:
        matrix: Pixels by true (rows) and predicted class, shape (C, C); class 0 is background.
        classes: C names.
        num_images: How many images were looked at.
    """
    found = []
    not_shown = [name for index, name in enumerate(classes) if index and not matrix[index].sum()]
    if not_shown:
        found.append(Finding(False, f'No image shows {", ".join(not_shown)}, so nothing is known of that.'))
    for index, name in enumerate(classes[1:], 1):
        actual, predicted, correct = matrix[index].sum(), matrix[:, index].sum(), matrix[index, index]
        others = np.arange(len(classes)) != index
        if actual and (lost := 1 - correct / actual) > 0.3:
            taken = classes[int(np.argmax(np.where(others, matrix[index], -1)))]
            found.append(
                Finding(
                    lost > 0.5, f'{lost:.0%} of the pixels of {name} are not recognised; most are taken for {taken}.'
                )
            )
        if predicted and (false := 1 - correct / predicted) > 0.4:
            truth = classes[int(np.argmax(np.where(others, matrix[:, index], -1)))]
            found.append(
                Finding(false > 0.6, f'{false:.0%} of what is called {name} is something else, mostly {truth}.')
            )
    if num_images < FEW_IMAGES:
        found.append(Finding(False, f'The scores are of few images ({num_images}); they may be off by several points.'))
    return sorted(found, key=lambda finding: not finding.serious)
