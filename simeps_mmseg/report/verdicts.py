"""What to know of a training before anything else: the decision of the guard, and dead branches."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..engine.guard import DEAD_BRANCH
from ..visualization.training_log import TrainingLog
from .finding import Finding, RunContext
from .validation_findings import last_of_branches


def verdicts(log: TrainingLog, run: RunContext) -> list[Finding]:
    """The guard's decision first, then dead branches, then each time the guard stepped in.

    Args:
        log: Of a training.
        run: What is known beside the log.
    """
    guard = run.labels_only if run.labels_only and run.labels_only['reference'] else None
    return [
        *(_decision(guard) if guard else ()),
        *_dead_branches(log, run),
        *(_interventions(guard) if guard else ()),
    ]


def _decision(record: Mapping) -> Iterator[Finding]:
    """Whether the unlabelled images brought anything beyond what labels alone reached."""
    key, best = record['reference']['key'], record['best']
    before = record['reference']['metrics'][key]
    if best is not None and best <= before:
        yield Finding(
            True,
            f'The unlabelled images brought nothing on validation: the best {key} is {before:.1f}, that of labels alone. '
            'The best checkpoint holds those weights, and simeps export gives them.',
        )
    elif best is not None:
        yield Finding(
            False,
            f'{key} on validation: {before:.1f} with labels alone, {best:.1f} with the best checkpoint '
            f'({best - before:+.1f}).',
        )


def _interventions(record: Mapping) -> Iterator[Finding]:
    """Each loss that the guard saw, in its own words."""
    for event in record['events']:
        yield Finding(True, f'At iteration {event["iteration"]:,}: {event["text"]}.')


def _dead_branches(log: TrainingLog, run: RunContext) -> Iterator[Finding]:
    key, last = last_of_branches(log, run)
    for k, score in enumerate(last):
        if score < DEAD_BRANCH * np.nanmax(last):
            yield Finding(
                True,
                f'Branch {k} is dead: its {key} at the last validation is {score:.1f}, that of branch '
                f'{int(np.nanargmax(last))} {np.nanmax(last):.1f}. It has taught the others, too: start from a trained '
                'network (load_from), or give labels alone more of the schedule.',
            )
