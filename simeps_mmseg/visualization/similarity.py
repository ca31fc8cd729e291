"""Similarity maps of branches beside the images that they compare."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from .curves import line_color
from .curves_figure import DASHES, unit_color
from .resize import resize_image
from .training_log import TrainingLog

THUMBNAIL = 96
MAP_COLORS, DIFFERENCE_COLORS = 'cividis', 'PuOr'


def similarity_figure(
    maps: Mapping[str, Sequence[np.ndarray]],
    images: Sequence[np.ndarray],
    names: Sequence[str] | None = None,
    tile: float = 2.2,
) -> Figure:
    """Draw a row per stage: the map of each branch on one scale, then the differences of all pairs on another.

    Row i and column j of a map tell how similar images i and j are to the branch; the images stand beside and above.

    Source: Sime et al. 2022, Fig. 6.

    Args:
        maps: For each stage one (b, b) map per branch.
        images: b images, (h, w) or (h, w, 3), uint8.
        names: Of the branches; ``branch 0``, ... by default.
        tile: Width of a map in inches.

    Returns:
        The figure; write it with ``savefig``.

    Raises:
        ValueError: If the maps are not of these images.
    """
    branches = len(next(iter(maps.values())))
    wrong = {stage: [one.shape for one in own] for stage, own in maps.items()}
    if any(shape != (len(images), len(images)) for shapes in wrong.values() for shape in shapes):
        raise ValueError(f'{len(images)} images need maps of shape {(len(images),) * 2}, got {wrong}')
    names = list(names) if names is not None else [f'branch {k}' for k in range(branches)]
    pairs = list(combinations(range(branches), 2))
    values = np.concatenate([one.ravel() for own in maps.values() for one in own])
    low, high = float(values.min()), float(values.max())
    differences = {stage: [own[a] - own[b] for a, b in pairs] for stage, own in maps.items()}
    largest = max((float(np.abs(one).max()) for own in differences.values() for one in own), default=0.0)
    page = _Layout(tile, branches, len(pairs), len(maps), len(images))
    columns = [(page.left(k), names[k]) for k in range(branches)]
    columns += [(page.left(branches + k, True), f'{names[a]} - {names[b]}') for k, (a, b) in enumerate(pairs)]
    for left, title in columns:
        axis = page.axis(left, page.strip_bottom, tile, page.strip)
        _thumbnails(axis, images, upright=False)
        axis.set_title(title, fontsize=9, pad=3)
    for row, (stage, own) in enumerate(maps.items()):
        bottom = page.bottom(row)
        axis = page.axis(page.left(0) - page.strip, bottom, page.strip, tile)
        _thumbnails(axis, images, upright=True)
        axis.set_ylabel(stage, fontsize=10)
        for k, one in enumerate(own):
            shown = _heat_map(page.axis(page.left(k), bottom, tile, tile), one, MAP_COLORS, low, high)
        for k, one in enumerate(differences[stage]):
            axis = page.axis(page.left(branches + k, True), bottom, tile, tile)
            shown_differences = _heat_map(axis, one, DIFFERENCE_COLORS, -largest or -1e-6, largest or 1e-6)
            axis.set_xlabel(f'mean square {np.mean(np.square(one)):.2g}', fontsize=8, labelpad=2)
    page.color_bar(shown, page.left(0), branches, 'similarity (rows of unit length)')
    if pairs:
        page.color_bar(shown_differences, page.left(branches, True), len(pairs), 'difference')
    return page.figure


class _Layout:
    """Positions in the figure in inches, so that images stand exactly beside the rows and columns that are theirs."""

    gap, group_gap, margin, row_gap, foot = 0.1, 0.3, 0.32, 0.24, 0.62

    def __init__(self, tile: float, branches: int, pairs: int, stages: int, images: int) -> None:
        self.tile = tile
        self.strip = tile / images
        between = self.gap * (branches + pairs - 1) + (self.group_gap if pairs else 0)
        self.width = self.margin + self.strip + tile * (branches + pairs) + between + 0.1
        self.height = 0.3 + self.strip + 0.04 + stages * (tile + self.row_gap) + self.foot
        self.strip_bottom = self.height - 0.3 - self.strip
        self.figure = Figure(figsize=(self.width, self.height))

    def left(self, column: int, after_gap: bool = False) -> float:
        """Left edge of a column of maps."""
        start = self.margin + self.strip + column * (self.tile + self.gap)
        return start + self.group_gap if after_gap else start

    def bottom(self, row: int) -> float:
        """Lower edge of a row of maps."""
        return self.strip_bottom - 0.04 - (row + 1) * self.tile - row * self.row_gap

    def axis(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes at a position in inches."""
        place = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place)

    def color_bar(self, picture: AxesImage, left: float, columns: int, label: str) -> None:
        """The scale of the maps in ``columns`` columns, below them."""
        whole = columns * (self.tile + self.gap) - self.gap
        width = min(whole, 4.0)
        bar = self.figure.colorbar(
            picture, cax=self.axis(left + (whole - width) / 2, 0.42, width, 0.12), orientation='horizontal'
        )
        bar.set_label(label, fontsize=8, labelpad=2)
        bar.ax.tick_params(labelsize=7)


def _heat_map(axis: Axes, values: np.ndarray, colors: str, low: float, high: float) -> AxesImage:
    picture = axis.imshow(values, cmap=colors, vmin=low, vmax=high, interpolation='nearest')
    axis.set(xticks=[], yticks=[])
    return picture


def _thumbnails(axis: Axes, images: Sequence[np.ndarray], upright: bool) -> None:
    """Images beside the row, or above the column, of the map that each belongs to."""
    tiles = [resize_image(_square(image), (THUMBNAIL, THUMBNAIL)) for image in images]
    framed = [np.pad(tile, ((3, 3), (3, 3), (0, 0)), constant_values=255) for tile in tiles]
    picture = np.concatenate(framed, axis=0 if upright else 1)
    axis.imshow(picture, aspect='auto', interpolation='antialiased')
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def _square(image: np.ndarray) -> np.ndarray:
    """The middle of an image (h, w) or (h, w, 3), as (s, s, 3)."""
    rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    return np.ascontiguousarray(rgb[top : top + side, left : left + side])


def distance_figure(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], unit: str, width: float = 6.4) -> Figure:
    """How far apart the similarity maps of the branches are while they learn.

    Args:
        curves: Iterations and values by name, such as ``labeled, logits``.
        unit: What the values are, beside the axis.
        width: In inches.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(width, 0.6 * width), layout='constrained')
    axis = figure.subplots()
    stages = list(dict.fromkeys(name.rpartition(', ')[2] for name in curves))
    parts = list(dict.fromkeys(name.rpartition(', ')[0] for name in curves))
    for name, (steps, values) in curves.items():
        part, _, stage = name.rpartition(', ')
        axis.plot(
            steps,
            values,
            DASHES[parts.index(part) % len(DASHES)],
            color=unit_color(line_color(stages.index(stage))),
            marker='o' if len(steps) <= 15 else '',
            markersize=4,
            label=name,
        )
    positive = all((values[np.isfinite(values)] > 0).all() for _, values in curves.values())
    axis.yaxis.label.set_fontsize('small')  # it has two lines as long as the axis
    axis.set(xlabel='iteration', ylabel=unit, xlim=(0, None), yscale='log' if positive else 'linear')
    axis.grid(color='0.9', linewidth=0.6)
    axis.spines[['top', 'right']].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    return figure


def logged_similarity(log: TrainingLog) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """The similarity losses of a log as they were written: iterations and values by (part, stage).

    They are weighted (lambda, stage, ramp) and, like all losses in a log, a mean over the last iterations (ten unless the
    config says otherwise).
    """
    found = {}
    for key in log.scalars():
        part, separator, stage = key.partition('.loss_similarity_')
        if separator:
            found[part, stage] = log.series(key)
    return found
