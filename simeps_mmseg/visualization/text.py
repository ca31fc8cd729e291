"""Text and legends as pictures."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..utils.streams import shown

INK = (20, 20, 20)


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font that matplotlib brings along: present wherever MMSegmentation is, and with accents and Greek."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf'), size)


def text_width(text: str, size: int) -> int:
    """Pixels that a line takes."""
    return int(np.ceil(font(size).getlength(text)))


def shorten(text: str, width: int, size: int) -> str:
    """The text with its middle left out so that it fits in ``width`` pixels."""
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        left = (kept + 1) // 2
        candidate = f'{text[:left]}…{text[len(text) - (kept - left) :]}'
        if text_width(candidate, size) <= width:
            return candidate
    return '…'


def text_strip(lines: Sequence[str], width: int, size: int = 14, centered: bool = True) -> np.ndarray:
    """Lines of text on white, each shortened to fit.

    Args:
        lines: From top to bottom.
        width: In pixels.
        size: Of the font in pixels.
        centered: Or from the left.

    Returns:
        Shape (h, width, 3), uint8; h depends on the number of lines only.
    """
    step = round(1.35 * size)
    strip = Image.new('RGB', (width, max(1, step * len(lines))), 'white')
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        line = shorten(shown(line), width, size)
        left = (width - text_width(line, size)) // 2 if centered else 0
        draw.text((left, number * step), line, font=font(size), fill=INK)
    return np.asarray(strip)


def legend(entries: Sequence[tuple[str, Sequence[int] | None]], width: int, size: int = 14) -> np.ndarray:
    """Swatches with names, in as many rows as needed.

    Args:
        entries: Name and RGB of each; without a colour the name is a heading and gets no swatch.
        width: In pixels.
        size: Of the font in pixels.

    Returns:
        Shape (h, width, 3), uint8.
    """
    step, gap = round(1.7 * size), round(0.5 * size)
    places, left, row = [], 0, 0
    for name, color in entries:
        name = shorten(name, width - size - gap, size)
        needed = (size + gap if color is not None else 0) + text_width(name, size)
        if left and left + needed > width:
            left, row = 0, row + 1
        places.append((left, row, name))
        left += needed + 3 * gap
    strip = Image.new('RGB', (width, step * (row + 1)), 'white')
    draw = ImageDraw.Draw(strip)
    for (left, row, name), (_, color) in zip(places, entries):
        top = row * step + (step - size) // 2
        if color is not None:
            draw.rectangle((left, top, left + size - 1, top + size - 1), fill=tuple(color), outline=INK)
            left += size + gap
        draw.text((left, top - round(0.15 * size)), name, font=font(size), fill=INK)
    return np.asarray(strip)


def stamp(picture: np.ndarray, text: str, top: int, left: int, size: int = 16) -> np.ndarray:
    """A copy of a picture (h, w, 3) with text in white, edged with black, so that it can be read on anything."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.text((left, top - 2), text, font=font(size), fill='white', stroke_width=2, stroke_fill='black')
    return np.array(image)
