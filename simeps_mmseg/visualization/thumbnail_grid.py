"""Many images in one figure, each with its prediction and its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from ..utils.streams import shown


@dataclass
class Tile:
    """One image with its prediction and its uncertainty.

    Attributes:
        image: RGB, shape (h, w, 3), uint8.
        painted: The same with the predicted classes, shape (h, w, 3), uint8.
        heat: What colours the third picture, such as mutual information, shape (h', w').
        caption: A line or two below.
    """

    image: np.ndarray
    painted: np.ndarray
    heat: np.ndarray
    caption: str


def thumbnail_grid(tiles: Sequence[Tile], columns: int = 4, tile: float = 1.1) -> Figure:
    """Draw image, prediction and heat map of each tile side by side, row by row.

    The heat maps share one scale, from zero to the largest value of all.

    Args:
        tiles: At least one.
        columns: Tiles beside each other.
        tile: Width of a picture in inches.

    Returns:
        The figure; write it with ``savefig``.

    Raises:
        ValueError: Without tiles.
    """
    if not tiles:
        raise ValueError('a grid of thumbnails needs at least one tile')
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    figure = Figure(figsize=(3 * columns * tile, rows * (tile + 0.35)), layout='constrained')
    axes = figure.subplots(rows, 3 * columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    hottest = max(float(one.heat.max()) for one in tiles) or 1.0
    for index, one in enumerate(tiles):
        row, column = divmod(index, columns)
        left, middle, right = axes[row, 3 * column : 3 * column + 3]
        left.imshow(one.image)
        middle.imshow(one.painted)
        right.imshow(one.heat, cmap='inferno', vmin=0, vmax=hottest)
        middle.set_xlabel(shown(one.caption), fontsize=5.5 * tile, labelpad=2)
    return figure
