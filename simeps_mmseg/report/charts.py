"""Interactive charts."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from ..utils import evenly_spaced
from ..visualization.curves import INK, Panel, line_color, styles_of
from ..visualization.palette import RGB
from .page import Chart

MOST_POINTS = 1000
HEIGHT = 300
GRID = '#e6e6e6'


def plotly_script() -> str:
    """plotly.js itself, so that the page needs no network."""
    return get_plotlyjs()


def panel_chart(panel: Panel, resumed: Sequence[int] = ()) -> Chart:
    """Curves of one panel over the iterations.

    Args:
        panel: What to draw. Of long curves every n-th point is drawn.
        resumed: Iterations with a dotted upright line.
    """
    figure = go.Figure()
    for curve, style in zip(panel.curves, styles_of(panel)):
        few = len(curve.steps) <= 15
        keep = evenly_spaced(len(curve.steps), MOST_POINTS)
        figure.add_scatter(
            x=curve.steps[keep],
            y=curve.values[keep].astype(np.float32),
            name=style.label,
            mode='lines+markers' if few else 'lines',
            line=dict(color=css(style.color), width=1.4 * style.width, dash='dash' if style.dashed else 'solid'),
            marker=dict(size=6),
            hovertemplate='%{y:.4g}',
        )
    for step in resumed:
        figure.add_vline(x=step, line=dict(color='#999', width=1, dash='dot'))
    positive = all((curve.values[np.isfinite(curve.values)] > 0).all() for curve in panel.curves)
    figure.update_xaxes(title='iteration', rangemode='tozero')
    if panel.log_scale and positive:
        figure.update_yaxes(type='log', dtick='D2', tickformat='~g')  # ticks at 1, 2 and 5
    if panel.unit == '%':
        figure.update_yaxes(rangemode='tozero')
    figure.update_layout(showlegend=len(panel.curves) > 1, hovermode='x unified')
    return _chart(figure, panel.title + (f' ({panel.unit})' if panel.unit else ''))


def class_bars(scores: Mapping[str, Sequence[float]], classes: Sequence[str], title: str) -> Chart:
    """Bars side by side for each class.

    Args:
        scores: In per cent, one per class, by the name of who has them; the first stands out.
        classes: Names.
        title: Above the chart.
    """
    figure = go.Figure()
    for index, (name, values) in enumerate(scores.items()):
        color = INK if index == 0 else line_color(index - 1)
        figure.add_bar(
            x=list(classes),
            y=[None if np.isnan(value) else round(float(value), 2) for value in values],
            name=name,
            marker_color=css(color),
            hovertemplate='%{y:.1f} %',
        )
    figure.update_layout(barmode='group', showlegend=len(scores) > 1)
    figure.update_yaxes(range=[0, 100])
    return _chart(figure, title)


def confusion_chart(matrix: np.ndarray, classes: Sequence[str], title: str) -> Chart:
    """Per cent of the pixels of each true class (rows) by what they were taken for (columns).

    Args:
        matrix: Pixels, shape (C, C).
        classes: C names.
        title: Above the chart.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    percent = 100 * matrix / np.maximum(totals, 1)
    figure = go.Figure(
        go.Heatmap(
            z=percent[::-1],
            x=list(classes),
            y=list(classes)[::-1],
            customdata=matrix[::-1],
            zmin=0,
            zmax=100,
            colorscale='Cividis_r',
            texttemplate='%{z:.1f}' if len(classes) <= 12 else None,
            hovertemplate='%{y} taken for %{x}: %{z:.2f} %, %{customdata:,} pixels<extra></extra>',
            showscale=False,
        )
    )
    figure.update_xaxes(title='predicted', side='bottom', type='category', showgrid=False)
    figure.update_yaxes(title='ground truth', type='category', showgrid=False)
    return _chart(figure, title, height=max(HEIGHT, 60 + 34 * len(classes)))


def histogram(values: Sequence[float], title: str, unit: str) -> Chart:
    """How many images have which score, in per cent."""
    figure = go.Figure(
        go.Histogram(
            x=[round(float(value), 2) for value in values],
            xbins=dict(start=0, end=100.01, size=5),
            marker_color=css(line_color(1)),
            hovertemplate='%{x} %: %{y} images<extra></extra>',
        )
    )
    figure.update_xaxes(title=unit, range=[0, 100])
    figure.update_yaxes(title='images')
    figure.update_layout(bargap=0.05)
    return _chart(figure, title)


def css(color: RGB) -> str:
    """RGB as a style sheet has it.

    Example:
        >>> css((230, 159, 0))
        'rgb(230,159,0)'
    """
    return f'rgb({",".join(map(str, color))})'


def _chart(figure: go.Figure, title: str, height: int = HEIGHT) -> Chart:
    figure.update_layout(
        template='plotly_white',
        height=height,
        margin=dict(l=8, r=8, t=8, b=8),
        font=dict(family='system-ui, sans-serif', size=12, color='#202020'),
        legend=dict(orientation='h', yanchor='top', y=-0.25, x=0, font_size=11),
    )
    figure.update_xaxes(automargin=True, gridcolor=GRID)
    figure.update_yaxes(automargin=True, gridcolor=GRID, exponentformat='power')
    html = figure.to_html(
        full_html=False, include_plotlyjs=False, config=dict(responsive=True, displaylogo=False, displayModeBar=False)
    )
    return Chart(title, html)
