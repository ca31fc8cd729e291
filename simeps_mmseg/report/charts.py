"""Charts of the report, as SVG, and other figures, as pictures."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ..visualization.curves import INK, Panel, line_color
from ..visualization.curves_figure import panel_figure, unit_color
from .page import Chart, Picture

WIDTH, HEIGHT = 4.6, 3.0  # inches
MOST_NUMBERS = 12  # classes up to which each cell of a confusion matrix has its number
SVG: dict[Any, object] = {
    'svg.fonttype': 'none',  # text stays text: a third of the size
    'svg.hashsalt': 'simeps_mmseg',  # the same figure gives the same bytes
    'text.parse_math': False,  # a class may be called a$b$
    'font.family': ['DejaVu Sans', 'sans-serif'],
    'axes.labelsize': 9,
}


def panel_chart(panel: Panel, resumed: Sequence[int] = (), last: int = 0) -> Chart:
    """Curves of one panel over the iterations.

    Args:
        panel: What to draw. Of long curves every n-th point is drawn.
        resumed: Iterations with a dotted upright line.
        last: Right end of the axis; by default the last point of the curves.
    """
    with matplotlib.rc_context(SVG):
        return chart_of(panel_figure(panel, resumed, last, WIDTH))


def class_bars(scores: Mapping[str, Sequence[float]], classes: Sequence[str], title: str) -> Chart:
    """Bars side by side for each class.

    Args:
        scores: In per cent, one per class, by the name of who has them; the first stands out. NaN has no bar.
        classes: Names.
        title: Above the chart.
    """
    with matplotlib.rc_context(SVG):
        figure, axis = _axes(title)
        width = 0.8 / len(scores)
        places = np.arange(len(classes))
        for index, (name, values) in enumerate(scores.items()):
            color = unit_color(INK if index == 0 else line_color(index - 1))
            left = places + (index - (len(scores) - 1) / 2) * width
            axis.bar(left, np.asarray(values, float), 0.92 * width, color=color, label=name)
        axis.set(ylim=(0, 100))
        axis.set_xticks(places, classes, **_slanted(classes))
        axis.grid(axis='y', color='0.9', linewidth=0.6)
        if len(scores) > 1:
            figure.legend(loc='outside lower center', ncols=2, frameon=False, fontsize=8)
        return chart_of(figure)


def confusion_chart(matrix: np.ndarray, classes: Sequence[str], title: str) -> Chart:
    """Per cent of the pixels of each true class (rows) by what they were taken for (columns).

    Args:
        matrix: Pixels, shape (C, C).
        classes: C names.
        title: Above the chart.
    """
    percent = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with matplotlib.rc_context(SVG):
        figure, axis = _axes(title, max(HEIGHT, 1.2 + 0.34 * len(classes)))
        axis.imshow(percent, cmap='cividis_r', vmin=0, vmax=100, aspect='auto', interpolation='nearest')
        axis.set(xlabel='predicted', ylabel='ground truth')
        axis.set_xticks(range(len(classes)), classes, **_slanted(classes))
        axis.set_yticks(range(len(classes)), classes)
        if len(classes) <= MOST_NUMBERS:
            for (row, column), value in np.ndenumerate(percent):
                color = 'white' if value > 50 else 'black'
                axis.text(column, row, f'{value:.1f}', ha='center', va='center', fontsize=8, color=color)
        return chart_of(figure)


def histogram(values: Sequence[float], title: str, unit: str) -> Chart:
    """How many images have which score, in per cent."""
    with matplotlib.rc_context(SVG):
        figure, axis = _axes(title)
        axis.hist(values, bins=list(range(0, 101, 5)), color=unit_color(line_color(1)), rwidth=0.92)
        axis.set(xlabel=unit, ylabel='images', xlim=(0, 100))
        axis.yaxis.set_major_locator(MaxNLocator('auto', steps=[1, 2, 2.5, 5, 10], integer=True))
        axis.grid(axis='y', color='0.9', linewidth=0.6)
        return chart_of(figure)


def chart_of(figure: Figure) -> Chart:
    """A figure as a chart of the page; what its axes are called is its text for those who cannot see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format='svg', metadata=dict(Date=None))
    return Chart(', '.join(axis.get_title() for axis in figure.axes), buffer.getvalue())


def picture_of(figure: Figure, caption: str, dpi: int = 130) -> Picture:
    """A figure of photographs as a picture of the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format='png')
    return Picture.of(np.asarray(Image.open(buffer).convert('RGB')), caption)


def _axes(title: str, height: float = HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout='constrained')
    axis = figure.subplots()
    axis.set_title(title, fontsize=9)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8)
    axis.spines[['top', 'right']].set_visible(False)
    return figure, axis


def _slanted(classes: Sequence[str]) -> dict:
    """Names that would run into each other stand at an angle."""
    return dict(rotation=30, ha='right') if sum(map(len, classes)) > 48 else {}
