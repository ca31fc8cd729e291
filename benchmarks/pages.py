"""Tables that scripts write into pages, between two comments."""

from pathlib import Path

END = '<!-- end -->\n'


def replaced(text: str, table: str, begin: str) -> str:
    """A text with the table between its markers, of which ``begin`` is the first and a line of its own."""
    before, rest = text.split(begin)
    return before + begin + table + END + rest.split(END, 1)[1]


def update(page: Path, table: str, begin: str) -> None:
    """Write the table into the page."""
    page.write_text(replaced(page.read_text(), table, begin))
