r"""Names of files in what is printed, logged and drawn.

On Linux they are bytes; Python holds those that are no UTF-8 as characters that UTF-8 has not, such as ``\udcff``.
"""

import io
from collections.abc import Iterable
from typing import TextIO


def shown(text: str) -> str:
    r"""A text in characters that UTF-8 has: bytes of a name that are none are written as ``\xff``.

    Example:
        >>> shown('part-7.png'), shown('\udcff.png')
        ('part-7.png', '\\xff.png')
    """
    return text.encode('utf-8', 'surrogateescape').decode('utf-8', 'backslashreplace')


def write_any_name(streams: Iterable[TextIO | None]) -> None:
    r"""Have streams write what their encoding has not as ``\udcff``, in place of raising ``UnicodeEncodeError``.

    Args:
        streams: Such as ``sys.stdout``. One that is no ``TextIOWrapper``, as in notebooks, stays as it is.
    """
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
