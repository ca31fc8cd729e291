"""A page of sections as one HTML file that needs nothing beside it."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import ClassVar

import numpy as np
from jinja2 import Environment, StrictUndefined
from PIL import Image

from .finding import Finding

MOST_WIDTH = 2400


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = 'text'
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of text below a head.

    Attributes:
        head: Above the columns; the first column is what the row is called.
        rows: Cells.
        caption: Above the table.
        words: Whether the cells are words, which stand on the left, and not numbers.
    """

    kind: ClassVar[str] = 'table'
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ''
    words: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart; charts in a row stand beside each other where there is room.

    Attributes:
        title: What it shows, for those who cannot see it.
        svg: The drawing.
    """

    kind: ClassVar[str] = 'chart'
    title: str
    svg: str

    @property
    def source(self) -> str:
        """The drawing as a ``data:`` address. As an image of its own, no script in it runs, and its names are its own."""
        return f'data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode("ascii")}'


@dataclass(frozen=True)
class Code:
    """Long text that is folded away under its title."""

    kind: ClassVar[str] = 'code'
    title: str
    text: str


@dataclass(frozen=True)
class Picture:
    """An image file inside the page.

    Attributes:
        data: Its bytes.
        width: In pixels.
        height: In pixels.
        caption: Below it, and in its place for those who cannot see it.
        media: Such as ``image/webp``.
    """

    kind: ClassVar[str] = 'picture'
    data: bytes
    width: int
    height: int
    caption: str
    media: str = 'image/webp'

    @property
    def source(self) -> str:
        """The image as a ``data:`` address."""
        return f'data:{self.media};base64,{base64.b64encode(self.data).decode("ascii")}'

    @classmethod
    def of(cls, pixels: np.ndarray, caption: str, quality: int = 85) -> 'Picture':
        """Compress pixels (h, w, 3), RGB, uint8; wider ones than 2,400 are made smaller."""
        image = Image.fromarray(pixels)
        if image.width > MOST_WIDTH:
            image = image.resize((MOST_WIDTH, round(image.height * MOST_WIDTH / image.width)), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, 'WEBP', quality=quality, method=4)
        return cls(buffer.getvalue(), image.width, image.height, caption)


Block = Text | Table | Chart | Code | Picture


@dataclass(frozen=True)
class Section:
    """A chapter.

    Attributes:
        title: Its head, and its entry in the contents.
        blocks: What is in it.
    """

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Its name within the page."""
        return ''.join(c if c.isalnum() else '-' for c in self.title.lower())

    @property
    def groups(self) -> list[tuple[str, list[Block]]]:
        """Blocks in order, those of one kind that follow each other together."""
        grouped: list[tuple[str, list[Block]]] = []
        for block in self.blocks:
            if not grouped or grouped[-1][0] != block.kind:
                grouped.append((block.kind, []))
            grouped[-1][1].append(block)
        return grouped


@dataclass(frozen=True)
class Page:
    """The whole report.

    Attributes:
        title: Its head.
        subtitle: A line below.
        facts: What the run is, by name.
        findings: What to know first.
        checks: What was looked at for findings.
        sections: The chapters.
    """

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    findings: Sequence[Finding]
    checks: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=list)


def render(page: Page) -> str:
    """The page as HTML, without any script."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files(__package__).joinpath('template.html').read_text(encoding='utf-8')
    return environment.from_string(template).render(page=page)
