"""Colours that people with any kind of colour vision can tell apart."""

from collections.abc import Sequence

RGB = tuple[int, int, int]

# Okabe and Ito (2008), then four that were searched for the greatest distance to all before them, in CIELAB as seen with
# normal, protan and deutan vision (Machado et al. 2009). The first three are those of the data sets of this package.
COLOR_BLIND_SAFE: tuple[RGB, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (240, 228, 66),
    (85, 0, 255),
    (153, 255, 170),
    (51, 119, 255),
    (153, 51, 34),
)
BACKGROUND: RGB = (0, 0, 0)
COLORS = ('color_blind', 'dataset')


def class_colors(num_classes: int, own: Sequence[Sequence[int]] | None = None, background: int | None = 0) -> list[RGB]:
    """One colour for each class.

    Args:
        num_classes: C, background included.
        own: The data set's own palette, which serves where there are more classes than safe colours.
        background: The class that is painted black, or None.

    Returns:
        C colours, RGB.

    Raises:
        ValueError: If there are too many classes for the safe colours and ``own`` does not have one for each.

    Example:
        >>> class_colors(3)
        [(0, 0, 0), (230, 159, 0), (86, 180, 233)]
    """
    foreground = num_classes - (background is not None)
    if foreground > len(COLOR_BLIND_SAFE):
        if own is None or len(own) < num_classes:
            raise ValueError(
                f'{foreground} classes are more than the {len(COLOR_BLIND_SAFE)} colours that stay apart for everybody, '
                f'and the data set has a palette of {0 if own is None else len(own)} for {num_classes} classes'
            )
        return [_rgb(color) for color in own[:num_classes]]
    colors = list(COLOR_BLIND_SAFE[:foreground])
    if background is not None:
        colors.insert(background, BACKGROUND)
    return colors


def choose_colors(
    colors: str, num_classes: int, own: Sequence[Sequence[int]] | None, background: int | None = 0
) -> list[RGB]:
    """The palette that an option names: ``'color_blind'`` or ``'dataset'``.

    Raises:
        ValueError: On another name, or a data set without a palette.
    """
    if colors not in COLORS:
        raise ValueError(f'colors must be one of {COLORS}, got {colors!r}')
    if colors == 'color_blind':
        return class_colors(num_classes, own, background)
    if own is None or len(own) < num_classes:
        raise ValueError(f"colors='dataset': the data set has no palette for its {num_classes} classes")
    return [_rgb(color) for color in own[:num_classes]]


def _rgb(color: Sequence[int]) -> RGB:
    red, green, blue = color
    return int(red), int(green), int(blue)
