"""Find the weights that a user names."""

from pathlib import Path

from ..utils import UserError


def find_checkpoint(path: str | Path) -> Path:
    """The file, if it is there.

    Raises:
        UserError: If not; names the checkpoints beside it.
    """
    path = Path(path)
    if not path.is_file():
        others = sorted(file.name for file in path.parent.glob('*.pth'))
        beside = f'; in {path.parent} there are {", ".join(others)}' if others else ''
        raise UserError(f'checkpoint {path} is not there{beside}')
    return path
