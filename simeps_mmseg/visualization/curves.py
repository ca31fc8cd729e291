"""The curves of a training log, grouped into panels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..evaluation.functional import SUMMARY
from .palette import COLOR_BLIND_SAFE, RGB
from .training_log import TrainingLog, class_names

LOSSES, COURSE, HEALTH, VALIDATION = 'losses', 'course', 'pseudo-labels', 'validation'
SECTIONS = (LOSSES, COURSE, HEALTH, VALIDATION)
COURSE_KEYS = dict(
    consistency_weight='w(t) of the pseudo-labels', lr='learning rate', agreement='agreement of the branches'
)
CLASS_SCORES = 'IoU by class'
MODEL = 'model'  # the curve of a loss or score that is not of one branch
INK: RGB = (32, 32, 32)


class Curve(NamedTuple):
    """Values of one quantity over the iterations.

    Attributes:
        name: Such as ``branch 0``; what is compared over several pictures has the same name in each.
        steps: Iterations, shape (n,), int64.
        values: Shape (n,), float64.
        reference: Whether it is what others are measured by.
    """

    name: str
    steps: np.ndarray
    values: np.ndarray
    reference: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves with a common axis.

    Attributes:
        title: What they show: the key in the log, or what stands for several keys.
        section: One of ``SECTIONS``.
        unit: Of the values; empty for plain numbers.
        curves: At least one.
        log_scale: Whether small values matter as much as large ones.
    """

    title: str
    section: str
    unit: str
    curves: tuple[Curve, ...]
    log_scale: bool = False


class CurveStyle(NamedTuple):
    """How a curve is drawn in the panel of a single training.

    Attributes:
        label: In the legend.
        color: RGB.
        width: In points.
        dashed: Whether it is what the others are measured by.
    """

    label: str
    color: RGB
    width: float
    dashed: bool


def styles_of(panel: Panel) -> list[CurveStyle]:
    """One style per curve: branches and classes by colour, the whole model and what is measured against in ink."""
    others = [curve.name for curve in panel.curves if curve.name != MODEL and not curve.reference]
    styles = []
    for index, curve in enumerate(panel.curves):
        leading = curve.name == MODEL
        if panel.title == CLASS_SCORES:  # in pictures, too, the first defect has the first colour
            color = line_color(index - 1) if index else INK
        else:
            color = INK if leading or curve.reference else line_color(others.index(curve.name))
        whole = 'ensemble' if panel.section == VALIDATION and others else 'prediction'
        width = 2.0 if leading and others else 1.3
        styles.append(CurveStyle(whole if leading else curve.name, color, width, curve.reference))
    return styles


def line_color(index: int) -> RGB:
    """The colour of the n-th of several curves."""
    return COLOR_BLIND_SAFE[index % len(COLOR_BLIND_SAFE)]


def panels_of(log: TrainingLog, decided_by: str | None = None) -> list[Panel]:
    """All panels of a log: losses by term, course, pseudo-labels by class, scores.

    Args:
        log: Of a training.
        decided_by: The score that chose the best checkpoint, if that is known; its panel is the first of the scores.
    """
    return [*loss_panels(log), *course_panels(log), *health_panels(log), *score_panels(log, decided_by)]


def loss_panels(log: TrainingLog) -> Iterator[Panel]:
    """The total, then one panel per term with a curve per branch."""
    terms: dict[str, list[Curve]] = {}
    for key in log.scalars():
        if 'loss' in key:
            term, name = term_and_branch(key)
            terms.setdefault(term, []).append(Curve(name, *log.series(key)))
    for term, curves in terms.items():
        positive = all((curve.values[np.isfinite(curve.values)] > 0).all() for curve in curves)
        yield Panel(term, LOSSES, '', tuple(curves), log_scale=positive and _spread(curves) > 20)


def course_panels(log: TrainingLog) -> Iterator[Panel]:
    """Weight of the pseudo-labels, learning rate, agreement."""
    for key, title in COURSE_KEYS.items():
        steps, values = log.series(key)
        if len(steps):
            percent = key == 'agreement'
            curve = Curve(MODEL, steps, 100 * values if percent else values)
            yield Panel(title, COURSE, '%' if percent else '', (curve,))


def health_panels(log: TrainingLog) -> Iterator[Panel]:
    """For each class but the first (the background) its share of the pseudo-labels beside its share of the labels."""
    for name in class_names(log)[1:]:
        steps, pseudo = log.series(f'pseudo_share.{name}')
        if not len(steps):
            continue
        curves = [Curve('pseudo-labels', steps, 100 * pseudo)]
        steps, labels = log.series(f'label_share.{name}')
        if len(steps):
            curves.append(Curve('labels', steps, 100 * labels, reference=True))
        yield Panel(f'pixels of {name}', HEALTH, '%', tuple(curves))


def score_panels(log: TrainingLog, decided_by: str | None = None) -> Iterator[Panel]:
    """One panel per score with model and branches, the one that decides first, then the IoU of each class of the model.

    A score that no validation defines (false alarms without good parts) has none.
    """
    keys = log.scalars('val')
    for score in score_order(decided_by):
        curves = []
        for key in keys:
            match = re.fullmatch(rf'(?:branch_(\d+)\.)?{score}', key)
            if match:
                name = MODEL if match[1] is None else f'branch {match[1]}'
                curves.append(Curve(name, *log.series(key, 'val')))
        if any(np.isfinite(curve.values).any() for curve in curves):
            yield Panel(score, VALIDATION, '%', tuple(curves))
    classes = [Curve(key.removeprefix('IoU.'), *log.series(key, 'val')) for key in keys if key.startswith('IoU.')]
    if classes:
        yield Panel(CLASS_SCORES, VALIDATION, '%', tuple(classes))


def score_order(decided_by: str | None = None) -> list[str]:
    """The scores of a validation in the order of tables and panels, the one that decides first.

    Example:
        >>> score_order('mIoU')[:3]
        ['mIoU', 'mIoU_fg', 'mIoU_image']
    """
    return sorted(SUMMARY, key=lambda score: score != decided_by)


def term_and_branch(key: str) -> tuple[str, str]:
    """The term that a key of the log belongs to, and the name of its curve.

    Example:
        >>> term_and_branch('branch_1.decode.loss_ce')
        ('decode.loss_ce', 'branch 1')
        >>> term_and_branch('unlabeled.loss_cross_pseudo_2')
        ('unlabeled.loss_cross_pseudo', 'branch 2')
        >>> term_and_branch('unlabeled.loss_view_0')
        ('unlabeled.loss_view', 'view 0')
        >>> term_and_branch('loss')
        ('loss', 'model')
    """
    match = re.fullmatch(r'branch_(\d+)\.(.+)', key)
    if match:
        return match[2], f'branch {match[1]}'
    match = re.fullmatch(r'((?:un)?labeled\.loss_(.+))_(\d+)', key)
    if match:
        return match[1], f'view {match[3]}' if match[2] == 'view' else f'branch {match[3]}'
    return key, MODEL


def _spread(curves: list[Curve]) -> float:
    values = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    return float(values.max() / values.min()) if len(values) and values.min() > 0 else 1.0
