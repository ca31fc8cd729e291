"""One image as a grid: a column for each map of it (layer), a row for the whole and for each enlarged part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .disagreement import disagreement_map
from .error_map import ERROR_COLORS, ERROR_KINDS, error_map
from .overlay import dim, overlay
from .resize import display_size, resize_image, resize_labels
from .text import legend, stamp, text_strip
from .zoom import Box, zoom_boxes

IMAGE, CLASSES, ERRORS, HEAT = 'image', 'classes', 'errors', 'heat'
# Magenta, from dark to light: the one hue that stands for no error and, up to five of them, for no class.
HEAT_MAP = LinearSegmentedColormap.from_list('heat', ['#2d0040', '#8a1280', '#d633b0', '#ff8ce0', '#ffe6fa'])
LETTERS = 'abcdefghijklmnopqrstuvwxyz'
HEAT_LEVELS = 100  # heat travels as percent, so that it is resized as labels are


@dataclass(frozen=True)
class Layer:
    """One map of an image, a column of the grid.

    Attributes:
        title: Stands above it.
        kind: ``'image'``, ``'classes'`` (class indices), ``'errors'`` (indices into ``ERROR_KINDS``) or ``'heat'``
            (percent).
        values: Shape (h, w), or the image itself, (h, w, 3) uint8.
        caption: A second line of the title, such as a score.
    """

    title: str
    kind: str
    values: np.ndarray
    caption: str = ''


@dataclass(frozen=True)
class Style:
    """How maps are painted.

    Attributes:
        classes: Names of the classes.
        palette: RGB of each class.
        opacity: Of the fill within the contours.
        contour: Width of the contours in pixels of the picture.
        background: The class that stays image, or None.
        ignore_index: Label of pixels that do not count, which are no defects to enlarge.
        panel: Side of a square with the area of a panel, in pixels.
    """

    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    opacity: float = 0.4
    contour: int = 2
    background: int | None = 0
    ignore_index: int = 255
    panel: int = 256


def layers_of(
    image: np.ndarray,
    target: np.ndarray | None = None,
    prediction: np.ndarray | None = None,
    branches: np.ndarray | None = None,
    pseudo_labels: np.ndarray | None = None,
    background: int | None = 0,
    ignore_index: int = 255,
    captions: Mapping[str, str] | None = None,
) -> list[Layer]:
    """The layers of an image, of those maps that are given.

    Image, ground truth, prediction (``ensemble`` where there are branches), each branch, pseudo-labels, disagreement of
    two branches or more, errors of the prediction.

    Args:
        image: Shape (h, w, 3), uint8.
        target: Class indices, shape (h, w).
        prediction: Class indices, shape (h, w).
        branches: Class indices, shape (K, h, w).
        pseudo_labels: Class indices, shape (K, h, w): one map, or one for each branch.
        background: The class that is no defect, or None.
        ignore_index: The value in ``target`` that does not count.
        captions: Second line of a title.

    Returns:
        In the order of the columns.
    """
    several = branches if branches is not None and len(branches) > 1 else None
    layers = [Layer('image', IMAGE, image)]
    if target is not None:
        layers.append(Layer('ground truth', CLASSES, target))
    if prediction is not None:
        layers.append(Layer('prediction' if several is None else 'ensemble', CLASSES, prediction))
    if several is not None:
        layers += [Layer(f'branch {k}', CLASSES, labels) for k, labels in enumerate(several)]
    if pseudo_labels is not None and len(pseudo_labels):
        single = len(pseudo_labels) == 1 or all(np.array_equal(pseudo_labels[0], labels) for labels in pseudo_labels)
        shown = pseudo_labels[:1] if single else pseudo_labels
        titles = ['pseudo-label'] if single else [f'pseudo-label of {k}' for k in range(len(shown))]
        layers += [Layer(title, CLASSES, labels) for title, labels in zip(titles, shown)]
    if several is not None:
        percent = (HEAT_LEVELS * disagreement_map(several)).round().astype(np.uint8)
        layers.append(Layer('disagreement', HEAT, percent))
    if target is not None and prediction is not None:
        layers.append(Layer('errors', ERRORS, error_map(prediction, target, background, ignore_index)))
    captions = captions or {}
    return [Layer(layer.title, layer.kind, layer.values, captions.get(layer.title, '')) for layer in layers]


def paint_layer(layer: Layer, image: np.ndarray, style: Style, box: Box | None = None) -> np.ndarray:
    """Paint a layer, or a part of it, on the image: one cell of the grid.

    Args:
        layer: What to paint.
        image: What to paint it on, shape (h, w, 3), uint8.
        style: How.
        box: The part that is shown, enlarged to the size of the whole. None: all.

    Returns:
        Shape (h', w', 3), uint8, of the size that ``style.panel`` gives.
    """
    size = display_size(image.shape, style.panel)
    values = layer.values
    if box is not None:
        image, values = box.crop(image), box.crop(values)
    picture = resize_image(image, size)
    if layer.kind == IMAGE:
        return picture
    if layer.kind == CLASSES:
        background = style.background if style.background is not None else len(style.palette)
        return overlay(
            picture,
            resize_labels(values, size, background),
            style.palette,
            style.opacity,
            style.contour,
            style.background,
        )
    dark = dim(picture)
    labels = resize_labels(values, size)
    if layer.kind == ERRORS:
        return overlay(dark, labels, ERROR_COLORS, opacity=0.75, contour=style.contour)
    colors = (255 * HEAT_MAP(np.linspace(0, 1, HEAT_LEVELS + 1))[:, :3]).round().astype(np.uint8)
    return overlay(dark, labels, colors, opacity=0.85, contour=0)


def shown_defects(layers: Sequence[Layer], background: int | None, ignore_index: int) -> np.ndarray | None:
    """Where the defects are, (h, w) bool: by the ground truth, so that zooms stay where they are while a network learns;
    without one by the first map of classes. None: there is no such map, or no background.
    """
    maps = [layer.values for layer in layers if layer.kind == CLASSES]
    if background is None or not maps:
        return None
    return (maps[0] != background) & (maps[0] != ignore_index)


def legend_entries(layers: Sequence[Layer], style: Style) -> list[tuple[str, Sequence[int] | None]]:
    """Names and colours of the legend for these layers."""
    kinds = {layer.kind for layer in layers}
    entries: list[tuple[str, Sequence[int] | None]] = []
    if CLASSES in kinds:
        entries.append(('classes:', None))
        named = zip(style.classes, style.palette)
        entries += [(name, color) for k, (name, color) in enumerate(named) if k != style.background]
    if ERRORS in kinds:
        entries.append(('  errors:', None))
        entries += list(zip(ERROR_KINDS, ERROR_COLORS))[1:]
    if HEAT in kinds:
        entries.append(('  disagreement:', None))
        seen = np.unique(np.concatenate([layer.values.ravel() for layer in layers if layer.kind == HEAT]))
        some = [int(level) for level in seen if 0 < level < HEAT_LEVELS]
        names = {level: f'{level} % of the pairs differ' for level in some} if len(some) > 1 else {}
        for level in [*some, HEAT_LEVELS]:
            name = 'all branches differ' if level == HEAT_LEVELS else names.get(level, 'one branch differs')
            entries.append((name, [round(255 * value) for value in HEAT_MAP(level / HEAT_LEVELS)[:3]]))
    return entries


def layer_grid(
    layers: Sequence[Layer], style: Style, zooms: int = 2, with_legend: bool = True, title: str = ''
) -> np.ndarray:
    """Draw the layers side by side, with enlarged parts below, titles and a legend.

    Args:
        layers: The columns; the first is the image.
        style: How maps are painted.
        zooms: At most so many rows with a part of the image, four times as large.
        with_legend: Whether the legend stands below.
        title: A line above all.

    Returns:
        Shape (h, w, 3), uint8.
    """
    image = layers[0].values
    defects = shown_defects(layers, style.background, style.ignore_index)
    boxes = zoom_boxes(defects, zooms) if zooms and defects is not None else []
    gap, font_size = 6, max(10, round(style.panel / 17))
    size = display_size(image.shape, style.panel)
    titles = [[layer.title, layer.caption] if any(la.caption for la in layers) else [layer.title] for layer in layers]
    rows = [_beside([text_strip(lines, size[1], font_size) for lines in titles], gap)]
    for number, box in enumerate([None, *boxes]):
        panels = [paint_layer(layer, image, style, box) for layer in layers]
        if box is None:
            panels[0] = _mark(panels[0], boxes, image.shape, font_size)
        else:
            panels[0] = stamp(panels[0], LETTERS[number - 1], 3, 3, font_size)
        rows.append(_beside(panels, gap))
        rows.append(np.full((gap, rows[0].shape[1], 3), 255, np.uint8))
    width = rows[0].shape[1]
    if title:
        rows.insert(0, text_strip([title], width, font_size, centered=False))
    if with_legend:
        entries = legend_entries(layers, style)
        if entries:
            rows.append(legend(entries, width, font_size))
    return np.pad(np.concatenate(rows), ((gap, gap), (gap, gap), (0, 0)), constant_values=255)


def _beside(pictures: Sequence[np.ndarray], gap: int) -> np.ndarray:
    space = np.full((pictures[0].shape[0], gap, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, space)][:-1]
    return np.concatenate(parts, axis=1)


def _mark(picture: np.ndarray, boxes: Sequence[Box], shape: tuple[int, ...], font_size: int) -> np.ndarray:
    """Frames, white within black, and letters for the boxes of an image of ``shape`` shown as ``picture``."""
    marked = picture.copy()
    height, width = picture.shape[0] / shape[0], picture.shape[1] / shape[1]
    for letter, box in zip(LETTERS, boxes):
        top, bottom = round(box.top * height), round(box.bottom * height)
        left, right = round(box.left * width), round(box.right * width)
        for color, inset in ((0, 0), (255, 1), (255, 2), (0, 3)):
            t, b, le, r = top + inset, bottom - 1 - inset, left + inset, right - 1 - inset
            if b <= t or r <= le:
                break
            marked[[t, b], le : r + 1] = color
            marked[t : b + 1, [le, r]] = color
        marked = stamp(marked, letter, top + 4, left + 4, font_size)
    return marked
