"""The sections of a report that the log alone gives: curves and validation scores."""

import numpy as np

from ..evaluation.functional import PART_SCORES
from ..visualization.curves import LOSSES, VALIDATION, Curve, Panel, panels_of, score_order
from ..visualization.similarity import logged_similarity
from ..visualization.training_log import TrainingLog, num_branches
from . import charts
from .page import Chart, Section, Table, Text


def curve_section(title: str, log: TrainingLog, section: str, decided_by: str | None = None) -> Section:
    """The panels of one of ``simeps_mmseg.visualization.curves.SECTIONS``; above those of validation a table of scores.

    Args:
        title: Of the section.
        log: Of a training.
        section: Whose panels.
        decided_by: The score that chose the best checkpoint, if that is known; it stands first.
    """
    panels = [panel for panel in panels_of(log, decided_by) if panel.section == section]
    drawn = [charts.panel_chart(panel, log.resumed, log.last_step) for panel in panels]
    if section != VALIDATION or not drawn:
        return Section(title, drawn)
    return Section(title, [_score_table(log, decided_by), *_part_errors(log), *drawn])


def _score_table(log: TrainingLog, decided_by: str | None) -> Table:
    """Last validation of model and branches, and the best one of the model."""
    keys = [key for key in score_order(decided_by) if key in log.scalars('val')]
    rows = [['last validation', *(_last(log, key) for key in keys)]]
    rows.append(['best of each column', *(_best(log, key) for key in keys)])
    for k in range(num_branches(log)):
        rows.append([f'branch {k} alone, last', *(_last(log, f'branch_{k}.{key}') for key in keys)])
    return Table(['per cent', *keys], rows)


def _last(log: TrainingLog, key: str) -> str:
    values = log.series(key, 'val')[1]
    return f'{values[-1]:.2f}' if len(values) else ''


def _best(log: TrainingLog, key: str) -> str:
    values = log.series(key, 'val')[1]
    known = values[np.isfinite(values)]
    return f'{known.min() if key in PART_SCORES else known.max():.2f}' if len(known) else 'nan'


def _part_errors(log: TrainingLog) -> list[Text]:
    """The errors about whole images at the last validation, as a sentence; none of a log that does not count them."""
    last = log.val[-1]
    sentences = []
    for count, share, kind, error in (
        ('defective_images', 'missed', 'with a defect', 'nothing was called one'),
        ('defect_free_images', 'false_alarms', 'without a defect', 'something was called one'),
    ):
        number, percent = last.get(count), last.get(share)
        if number and percent is not None and np.isfinite(percent):
            wrong = round(number * percent / 100)
            sentences.append(f'On {wrong:,} of {number:,} images {kind} {error} ({share}).')
        elif number == 0:
            sentences.append(f'No image is {kind}, so {share} is not known.')
    return [Text(f'The last validation: {" ".join(sentences)}')] if sentences else []


def similarity_over_time(log: TrainingLog) -> list[Chart]:
    """How far apart the similarity maps of the branches were."""
    curves = tuple(Curve(f'{part}, {stage}', *values) for (part, stage), values in logged_similarity(log).items())
    if not curves:
        return []
    panel = Panel('Distance of the maps of the branches, weighted as logged', LOSSES, '', curves, log_scale=True)
    return [charts.panel_chart(panel, log.resumed, log.last_step)]
