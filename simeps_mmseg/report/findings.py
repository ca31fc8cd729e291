"""What a training log says, in plain words."""

from collections.abc import Iterable, Iterator

import numpy as np

from ..engine.starvation import is_starving, judged_after, remedies
from ..visualization.training_log import TrainingLog, class_names, num_branches
from .finding import Finding, RunContext, by_severity
from .validation_findings import lagging_branches, validation_findings
from .verdicts import verdicts

# Shares of a class are means over this many log lines: one line is of a few images, and a rare class is not in all of them.
WINDOW = 5
LOST, FREQUENT = 0.02, 2.0  # of the labelled share
WORDS = (
    (0.42, 'half'),
    (0.29, 'a third'),
    (0.22, 'a quarter'),
    (0.17, 'a fifth'),
    (0.07, 'a tenth'),
    (0.04, 'a twentieth'),
)


def log_findings(log: TrainingLog, run: RunContext | None = None, others: Iterable[Finding] = ()) -> list[Finding]:
    """Everything that a log tells: dead branches and the guard's decision, then the rest, serious ones first.

    Args:
        log: Of a training.
        run: What is known beside the log.
        others: Findings that are not from the log, such as those on images; their place is among the rest.
    """
    run = run or RunContext()
    return [*verdicts(log, run), *by_severity([*course_findings(log, run), *others])]


def course_findings(log: TrainingLog, run: RunContext) -> Iterator[Finding]:
    """How the training ended, its losses, its pseudo-labels, its validation scores.

    Args:
        log: Of a training.
        run: What is known beside the log.
    """
    yield from _ending(log, run)
    yield from _losses(log)
    yield from _pseudo_labels(log, run)
    yield from validation_findings(log, run)
    yield from lagging_branches(log, run)
    yield from _disagreement(log)


def checks_made(log: TrainingLog) -> list[str]:
    """What :func:`log_findings` had something to look at for."""
    validations = len(log.val)
    compared = sum(bool(len(share_ratios(log, name)[0])) for name in class_names(log))
    made = ['how the training ended', 'its losses']
    made += [f'the pseudo-labels of {compared} classes'] if compared else []
    made += [f'{validations} validation{"s" if validations > 1 else ""}'] if validations else []
    return made


def _ending(log: TrainingLog, run: RunContext) -> Iterator[Finding]:
    done = log.train[-1].get('epoch') if run.max_epochs else log.last_step
    wanted, unit = (run.max_epochs, 'epoch') if run.max_epochs else (run.max_iters, 'iteration')
    if wanted is None or done is None:
        yield Finding(
            False, 'How long the training was meant to be is not known, so neither is whether it ended early.'
        )
    else:
        # The log has a line for each interval; the last one need not fall on the last iteration.
        interval = int(np.median(np.diff([0, *(record['step'] for record in log.train)])))
        if done + (1 if run.max_epochs else interval) <= wanted:
            further = ' It goes on from its last checkpoint with --resume.' if run.has_checkpoint else ''
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


def _pseudo_labels(log: TrainingLog, run: RunContext) -> Iterator[Finding]:
    limit = _fraction_in_words(run.starving)
    why = 'the branches teach each other to see less of it' if run.networks > 1 else 'the network unlearns it'
    after = judged_after(ramp_begin(log), run.max_iters or 0, run.starving_after_share)
    for name in class_names(log):
        steps, ratios = share_ratios(log, name)
        judged = steps > after
        if not judged.any():
            continue
        final = ratios[-1]
        below = np.asarray(is_starving(ratios, 1.0, run.starving))
        if below[-1]:
            if below.all():
                course = f'stands at {_share_in_words(final)} and was never above {limit} of what the labels show'
            else:
                since = int(steps[np.flatnonzero(~below)[-1] + 1])
                course = f'fell to {_share_in_words(final)} after iteration {since:,}'
            yield Finding(
                True,
                f'{name} {course}: {why}. What may help, in this order (docs/methods.md): {remedies(run.has_class_weights)}.',
            )
        elif (below & judged).any():
            first, last = (int(steps[index]) for index in np.flatnonzero(below & judged)[[0, -1]])
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


def ramp_begin(log: TrainingLog) -> int:
    """The last logged iteration before the losses on pseudo-labels got a weight; 0 where the log has no such weight."""
    steps, weights = log.series('consistency_weight')
    if not len(steps):
        return 0
    without = steps[np.cumsum(weights > 0) == 0]
    return int(without[-1]) if len(without) else 0


def share_ratios(log: TrainingLog, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Share of a class among the pseudo-labels, mean of five lines of the log, as a fraction of its mean share of the labels.

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


def _disagreement(log: TrainingLog) -> Iterator[Finding]:
    values = log.series('agreement')[1]
    if num_branches(log) > 1 and len(values) >= WINDOW and values[-WINDOW:].mean() < 0.8:
        yield Finding(
            True,
            f'The branches agree on only {values[-WINDOW:].mean():.0%} of the unlabelled pixels at the end, so a good part of '
            'the pseudo-labels is wrong.',
        )
