"""What to know of a training before anything else: dead branches, and the decision of the guard."""

from collections.abc import Iterator, Mapping

import numpy as np

from ..engine.guard import DEAD_BRANCH
from ..visualization.training_log import TrainingLog
from .finding import Finding, RunContext
from .validation_findings import last_of_branches


def verdicts(log: TrainingLog, run: RunContext) -> list[Finding]:
    """Dead branches first, then the guard's decision, then each loss that the guard saw.

    Args:
        log: Of a training.
        run: What is known beside the log.
    """
    guard = run.labels_only if run.labels_only and run.labels_only['reference'] else None
    return [
        *_dead_branches(log, run),
        *(_decision(guard) if guard else ()),
        *(_interventions(guard) if guard else ()),
    ]


def _decision(record: Mapping) -> Iterator[Finding]:
    """Whether the unlabelled images brought anything beyond what labels alone reached."""
    labels_best, best = record.get('labels_best') or record['reference'], record['best']
    key = labels_best['key']
    before = labels_best['metrics'][key]
    if best is not None and best <= before:
        yield Finding(
            True,
            f'The unlabelled images brought nothing on validation: the best {key} is {before:.1f}, that of labels alone. '
            'The best checkpoint holds those weights; simeps export gives the network that was best on labels alone.',
        )
    elif best is not None:
        gain = f'{before:.1f} with labels alone, {best:.1f} with the best checkpoint ({best - before:+.1f})'
        said = f'{key} on validation: {gain}.'
        if record['events']:
            first = record['events'][0]
            said += f' On the way the guard saw losses, the first at iteration {first["iteration"]:,}: {first["text"]}.'
        yield Finding(bool(record['events']), said)


def _interventions(record: Mapping) -> Iterator[Finding]:
    """Each loss that the guard saw."""
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
