"""Text for CSV files that are opened in spreadsheets."""

from .streams import shown

FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r')


def table_text(text: str) -> str:
    r"""Text, such as the name of a file, that no spreadsheet takes for a formula, in characters that UTF-8 has.

    A quote before it keeps it text; bytes of a name that are no UTF-8 are written as ``\xff``.

    Example:
        >>> table_text('=1+1.png'), table_text('part-7.png'), table_text('\udcff.png')
        ("'=1+1.png", 'part-7.png', '\\xff.png')
    """
    cell = shown(text)
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
