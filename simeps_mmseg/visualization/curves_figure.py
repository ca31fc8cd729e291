"""Figures of the curves of one training, or of several."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from ..utils import evenly_spaced
from .curves import CLASS_SCORES, INK, MODEL, SECTIONS, Panel, line_color, panels_of, styles_of
from .training_log import TrainingLog

DASHES: tuple[Literal['-', '--', ':', '-.'], ...] = ('-', '--', ':', '-.')
MARKERS = 'osD^vP*X'
MOST_POINTS = 1000  # of a curve: more than its width in pixels only makes the file larger


def curves_figure(logs: Mapping[str, TrainingLog], columns: int = 4, tile: float = 3.2) -> Figure:
    """Draw a grid of panels, one per loss term, class or score.

    The curves of one training differ in colour. Of several trainings each has a colour, and the curves of a training
    (branches, classes) differ in their dashes; of a score only that of the model is drawn, and of a loss by branch only the
    mean, so that the picture stays readable. Dotted upright lines show where a training was resumed.

    Args:
        logs: By the name that stands in the legend.
        columns: Pictures side by side.
        tile: Width of a picture in inches.

    Returns:
        The figure; write it with ``savefig``.

    Raises:
        ValueError: Without logs.
    """
    if not logs:
        raise ValueError('curves need at least one training log')
    by_run = {name: {panel.title: panel for panel in panels_of(log)} for name, log in logs.items()}
    titles = _ordered(by_run)
    last = max(log.last_step for log in logs.values())
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(tile * columns, 0.75 * tile * rows + 0.5), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, title in zip(axes, titles):
        if len(logs) == 1:
            _draw_one(axis, next(iter(by_run.values()))[title])
        else:
            _draw_several(axis, {name: panels[title] for name, panels in by_run.items() if title in panels}, list(logs))
        for log in logs.values():
            _mark_resumed(axis, log.resumed)
        _finish(axis, [panels[title] for panels in by_run.values() if title in panels], last)
    for axis in axes[len(titles) :]:
        axis.remove()
    if len(logs) > 1:
        handles = [
            Line2D([], [], color=unit_color(line_color(k)), label=name, linewidth=2) for k, name in enumerate(logs)
        ]
        width = max(len(name) for name in logs)
        per_row = max(1, min(len(logs), int(tile * columns / (0.6 + width / 11))))
        figure.legend(handles=handles, loc='outside upper center', ncols=per_row, frameon=False)
    return figure


def panel_figure(panel: Panel, resumed: Sequence[int] = (), last: int = 0, width: float = 4.6) -> Figure:
    """One panel of one training as a figure of its own; drawn as in :func:`curves_figure`.

    Args:
        panel: The curves.
        resumed: Iterations with a dotted upright line.
        last: Right end of the axis; by default the last point of the curves.
        width: In inches.
    """
    figure = Figure(figsize=(width, 0.65 * width), layout='constrained')
    axis = figure.subplots()
    _draw_one(axis, panel)
    _mark_resumed(axis, resumed)
    _finish(axis, [panel], last or max(int(curve.steps[-1]) for curve in panel.curves if len(curve.steps)))
    return figure


def _mark_resumed(axis: Axes, steps: Sequence[int]) -> None:
    for step in steps:
        axis.axvline(step, color='0.6', linestyle=':', linewidth=0.8, zorder=0)


def _ordered(by_run: Mapping[str, Mapping[str, Panel]]) -> list[str]:
    """Titles of all runs: by section, then in the order of the run that has most of them."""
    runs = sorted(by_run.values(), key=len, reverse=True)
    sections = {title: panel.section for panels in runs for title, panel in panels.items()}
    return sorted(sections, key=lambda title: SECTIONS.index(sections[title]))


def _draw_one(axis: Axes, panel: Panel) -> None:
    for curve, style in zip(panel.curves, styles_of(panel)):
        keep = evenly_spaced(len(curve.steps), MOST_POINTS)
        axis.plot(
            curve.steps[keep],
            curve.values[keep],
            '--' if style.dashed else '-',
            color=unit_color(style.color),
            linewidth=style.width,
            marker='' if style.dashed and len(curve.steps) > 1 else _marker(curve.steps),
            markersize=3.5,
            label=style.label,
            zorder=3 if curve.name == MODEL else 2,
        )
    if len(panel.curves) > 1:
        axis.legend(fontsize=7, frameon=False, ncols=2 if len(panel.curves) > 5 else 1, labelspacing=0.25)


def _draw_several(axis: Axes, panels: Mapping[str, Panel], runs: Sequence[str]) -> None:
    dashes = Line2D([], [], color=unit_color(INK), linestyle='--', label='labels')
    named: dict[str, Line2D] = {}
    for run, panel in panels.items():
        color = unit_color(line_color(runs.index(run)))
        names = [curve.name for curve in panel.curves]
        if panel.title == CLASS_SCORES:
            shown = [(curve, DASHES[k % len(DASHES)]) for k, curve in enumerate(panel.curves)]
            for k, (curve, style) in enumerate(shown):
                marker = _marker(curve.steps, k)
                line = Line2D(
                    [], [], color=unit_color(INK), linestyle=style, marker=marker, markersize=3.5, label=curve.name
                )
                named.setdefault(curve.name, line)
        elif MODEL in names:
            shown = [(panel.curves[names.index(MODEL)], '-')]
        elif any(curve.reference for curve in panel.curves):
            shown = [(curve, '--' if curve.reference else '-') for curve in panel.curves]
            named['labels'] = dashes
        else:
            first = panel.curves[0]
            same = all(np.array_equal(curve.steps, first.steps) for curve in panel.curves)
            mean = np.mean([curve.values for curve in panel.curves], axis=0) if same else first.values
            shown = [(first._replace(values=mean), '-')]
        for k, (curve, style) in enumerate(shown):
            axis.plot(
                curve.steps,
                curve.values,
                style,
                color=color,
                linewidth=0.9 if curve.reference else 1.4,
                marker='' if curve.reference else _marker(curve.steps, k if len(shown) > 2 else 0),
                markersize=3.5,
            )
    if named:
        axis.legend(handles=list(named.values()), fontsize=7, frameon=False, ncols=2, labelspacing=0.25)


def _finish(axis: Axes, panels: Sequence[Panel], last: int) -> None:
    panel = panels[0]
    axis.set_title(panel.title + (f' ({panel.unit})' if panel.unit else ''), fontsize=9)
    axis.tick_params(which='both', labelsize=7)
    axis.grid(color='0.9', linewidth=0.6)
    axis.spines[['top', 'right']].set_visible(False)
    axis.set_xlabel('iteration', fontsize=7)
    axis.set_xlim(0, 1.02 * last)
    if any(one.log_scale for one in panels) and _all_positive(panels):
        axis.set_yscale('log')
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_minor_formatter(NullFormatter())
    # In full, as the factor that matplotlib would put above the axis runs into the title.
    axis.yaxis.set_major_formatter(lambda value, place: f'{value:g}')
    if panel.unit == '%':
        values = np.concatenate([curve.values for one in panels for curve in one.curves])
        axis.set_ylim(0, 1.1 * max(values[np.isfinite(values)].max(initial=0), 1e-3))


def _all_positive(panels: Sequence[Panel]) -> bool:
    """Whether every finite value is above zero, so that a logarithmic axis shows all of them."""
    values = np.concatenate([curve.values for panel in panels for curve in panel.curves])
    return bool((values[np.isfinite(values)] > 0).all())


def _marker(steps: np.ndarray, kind: int = 0) -> str:
    """A marker for curves of few points; of a single point there is no line to see."""
    return MARKERS[kind % len(MARKERS)] if len(steps) <= 15 else ''


def unit_color(color: Sequence[int]) -> tuple[float, float, float]:
    """RGB as fractions, as matplotlib takes it."""
    red, green, blue = color
    return red / 255, green / 255, blue / 255
