"""Figures as files."""

from pathlib import Path

from matplotlib.figure import Figure

from ..utils import UserError
from ..utils.files import check_writable


def save_figure(figure: Figure, out: str | Path, dpi: int = 150) -> list[Path]:
    """Write a figure as ``<out>.png`` and ``<out>.pdf`` and say so.

    Args:
        figure: What to write.
        out: Path; a suffix ``.png`` or ``.pdf`` is taken off.
        dpi: Pixels to the inch.

    Raises:
        UserError: If ``dpi`` is below 10.
    """
    if dpi < 10:
        raise UserError(f'--dpi must be 10 or more, got {dpi}')
    out = Path(out)
    stem = out.with_suffix('') if out.suffix in ('.png', '.pdf') else out
    check_writable(stem.with_name(stem.name + '.png'))
    files = [stem.with_name(stem.name + suffix) for suffix in ('.png', '.pdf')]
    for file in files:
        figure.savefig(file, dpi=dpi)
    print(f'pictures: {", ".join(map(str, files))}')
    return files
