"""Images, their ground truth and the predictions of several methods side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from ..utils.streams import shown
from .curves_figure import unit_color
from .error_map import ERROR_COLORS, ERROR_KINDS, error_map
from .overlay import dim, overlay
from .resize import display_size, resize_image, resize_labels


@dataclass
class ComparedImage:
    """One row of the figure.

    Attributes:
        image: Grey or RGB, shape (h, w) or (h, w, 3), uint8.
        target: Class indices, shape (h, w).
        predictions: For each method class indices, shape (h, w).
        captions: For each method a short text below its prediction, such as a score.
        name: A short text below the image.
    """

    image: np.ndarray
    target: np.ndarray
    predictions: Mapping[str, np.ndarray]
    captions: Mapping[str, str]
    name: str = ''


def comparison_figure(
    rows: Sequence[ComparedImage],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    tile: float = 2.0,
    errors: bool = False,
    ignore_index: int = 255,
) -> Figure:
    """A grid with one row per image: image, ground truth, then each method; below it the legend.

    Source: Sime et al. 2022, Fig. 5.

    Args:
        rows: At least one, all with the same methods.
        classes: Names, background first.
        palette: RGB of each class.
        tile: Width of a picture in inches.
        errors: Whether the methods' columns show their errors by kind in place of their classes.
        ignore_index: The value in a target that does not count.

    Returns:
        The figure; write it with ``savefig``.

    Raises:
        ValueError: Without rows, or if their methods differ.
    """
    if not rows:
        raise ValueError('a comparison needs at least one image')
    methods = list(rows[0].predictions)
    if any(list(row.predictions) != methods for row in rows):
        raise ValueError('all rows of a comparison need the same methods')
    titles = ['image', 'ground truth', *methods]
    # Characters of a title that fit over a picture, at 10 points.
    wrapped = ['\n'.join(textwrap.wrap(title, max(8, round(11 * tile)))) for title in titles]
    lines = max(title.count('\n') + 1 for title in wrapped)
    heights = [tile * row.target.shape[0] / row.target.shape[1] + 0.17 for row in rows]
    size = (tile * len(titles), sum(heights) + 0.5 + 0.17 * lines)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.05, wspace=0, hspace=0))
    axes = figure.subplots(len(rows), len(titles), squeeze=False, height_ratios=heights)
    for row, (compared, line) in enumerate(zip(rows, axes)):
        pictures = _pictures(compared, methods, palette, errors, ignore_index)
        captions = [
            _middle_out(shown(compared.name), round(13 * tile)),
            '',
            *(compared.captions.get(m, '') for m in methods),
        ]
        for column, (axis, picture, caption) in enumerate(zip(line, pictures, captions)):
            axis.imshow(picture, cmap='gray', vmin=0, vmax=255, interpolation='antialiased')
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(caption, fontsize=8, labelpad=2)
            if row == 0:
                axis.set_title(wrapped[column], fontsize=10)
    entries = [(name, color) for k, (name, color) in enumerate(zip(classes, palette)) if k]
    if errors:
        entries += list(zip(ERROR_KINDS, ERROR_COLORS))[1:]
    # As many columns as fit: about 12 characters to the inch at 9 points, beside the swatch.
    longest = max(len(name) for name, _ in entries)
    fitting = min(len(entries), max(1, int(size[0] / (0.55 + longest / 12))))
    columns = -(-len(entries) // -(-len(entries) // fitting))  # the rows of the legend alike in length
    # matplotlib fills a legend column by column, people read it row by row.
    entries = [entry for column in range(columns) for entry in entries[column::columns]]
    handles = [Patch(color=unit_color(color), label=name) for name, color in entries]
    figure.legend(handles=handles, loc='outside lower center', ncols=columns, frameon=False, fontsize=9)
    return figure


def _pictures(
    compared: ComparedImage, methods: Sequence[str], palette: Sequence[Sequence[int]], errors: bool, ignore_index: int
) -> list[np.ndarray]:
    """The pictures of a row, enlarged so far that a contour is thin beside a defect."""
    height, width = compared.target.shape
    factor = max(1, round(400 / width))
    # Larger ones are reduced here, where thin defects are kept, and not by matplotlib, which would skip rows.
    size = (factor * height, factor * width) if width <= 400 else display_size((height, width), 400)
    image = resize_image(compared.image, size)

    def classes(labels: np.ndarray) -> np.ndarray:
        return overlay(image, resize_labels(labels, size), palette, opacity=0.5, contour=3)

    pictures = [image, classes(compared.target)]
    for method in methods:
        labels = compared.predictions[method]
        if errors:
            wrong = error_map(labels, compared.target, ignore_index=ignore_index)
            pictures.append(overlay(dim(image), resize_labels(wrong, size), ERROR_COLORS, opacity=0.75, contour=3))
        else:
            pictures.append(classes(labels))
    return pictures


def _middle_out(text: str, length: int) -> str:
    """The text, at most so many characters, its middle left out if need be."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f'{text[:half]}…{text[-half:]}'
