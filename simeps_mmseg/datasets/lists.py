"""Text files that name images: what is in them, and what keeps them from being read."""

import codecs
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

from ..utils import UserError

WIDE_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode_lines(content: bytes, file: str | Path = 'the list') -> list[str]:
    r"""The lines of a list without space around them, empty ones left out.

    Args:
        content: UTF-8, with or without the mark that editors of Windows put before it.
        file: For messages.

    Raises:
        UserError: If it is no UTF-8 text.

    Example:
        >>> decode_lines(b'\xef\xbb\xbfone\r\n\n  two ')
        ['one', 'two']
    """
    return list(walk_lines(content, file))


def walk_lines(content: bytes, file: str | Path = 'the list') -> Iterator[str]:
    """The lines of a list as :func:`decode_lines` gives them, one by one.

    Raises:
        UserError: If it is no UTF-8 text, before the first line.
    """
    cause = encoding_problem(content)
    if cause:
        raise UserError(f'{file}: expected a list in UTF-8, found {cause}')
    return filter(None, map(str.strip, TextIOWrapper(BytesIO(content), 'utf-8-sig')))


def encoding_problem(content: bytes) -> str | None:
    """What a list is in place of UTF-8; None where it is that."""
    if content.startswith(WIDE_MARKS) or b'\0' in content:
        return 'UTF-16 or UTF-32 (or no text): save it as UTF-8'
    try:
        content.decode('utf-8')
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b'\n') + 1
        return f'a byte in line {line} that is none of UTF-8: save it as UTF-8'
    return None


def list_problems(content: bytes) -> Iterator[str]:
    r"""What mmengine, which reads the lists of MMSeg's data sets, would take for names of images.

    Example:
        >>> list(list_problems(b'one\n\ntwo\n'))
        ['an empty line (line 2): it would stand for an image without a name; remove it']
        >>> list(list_problems(b'one\ntwo\n'))
        []
    """
    cause = encoding_problem(content)
    if cause:
        yield cause
        return
    if content.startswith(codecs.BOM_UTF8):
        yield 'a byte order mark, which would belong to the first name: save it as UTF-8 without BOM'
    lines = content.decode('utf-8-sig').split('\n')
    empty = [number for number, line in enumerate(lines, start=1) if not line.strip()]
    if lines[-1] == '':  # what follows the last line's end
        empty.pop()
    if empty:
        yield f'an empty line (line {empty[0]}): it would stand for an image without a name; remove it'
