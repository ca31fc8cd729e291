"""Images, their ground truth and the predictions of several methods side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch


@dataclass
class ComparedImage:
    """One row of the figure.

    Attributes:
        image: Grey or RGB, shape (h, w) or (h, w, 3), uint8.
        target: Class indices, shape (h, w).
        predictions: For each method class indices, shape (h, w).
        captions: For each method a short text below its prediction, such as a score.
    """

    image: np.ndarray
    target: np.ndarray
    predictions: Mapping[str, np.ndarray]
    captions: Mapping[str, str]


def paint(image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]], opacity: float = 0.75) -> np.ndarray:
    """Lay the colours of the foreground classes over a dimmed image.

    Args:
        image: Shape (h, w) or (h, w, 3), uint8.
        labels: Class indices, shape (h, w); what is 0 or no class stays image.
        palette: RGB of each class.
        opacity: Of the colours, in [0, 1].

    Returns:
        Shape (h, w, 3), uint8.
    """
    rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    painted = 0.6 * rgb.astype(np.float32)
    colours = np.asarray(palette, np.float32)
    foreground = (labels > 0) & (labels < len(colours))
    painted[foreground] = (1 - opacity) * painted[foreground] + opacity * colours[labels[foreground]]
    return painted.round().astype(np.uint8)


def comparison_figure(
    rows: Sequence[ComparedImage], classes: Sequence[str], palette: Sequence[Sequence[int]], tile: float = 2.0
) -> Figure:
    """A grid with one row per image: image, ground truth, then each method; below it the legend of the classes.

    Args:
        rows: At least one, all with the same methods.
        classes: Names, background first.
        palette: RGB of each class.
        tile: Width of a picture in inches.

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
    figure = Figure(figsize=(tile * len(titles), (tile + 0.18) * len(rows) + 0.6), layout='constrained')
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for row, (compared, line) in enumerate(zip(rows, axes)):
        maps = [compared.target, *(compared.predictions[method] for method in methods)]
        pictures = [compared.image, *(paint(compared.image, labels, palette) for labels in maps)]
        captions = ['', '', *(compared.captions.get(method, '') for method in methods)]
        for column, (axis, picture, caption) in enumerate(zip(line, pictures, captions)):
            axis.imshow(picture, cmap='gray', vmin=0, vmax=255, interpolation='nearest')
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(caption, fontsize=8, labelpad=2)
            if row == 0:
                axis.set_title(titles[column], fontsize=10)
    handles = [Patch(color=np.array(palette[k]) / 255, label=name) for k, name in enumerate(classes) if k]
    figure.legend(handles=handles, loc='outside lower center', ncols=len(handles), frameon=False, fontsize=9)
    return figure
