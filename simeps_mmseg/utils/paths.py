"""Where configs and tools are."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped_folder(name: str) -> Path:
    """``configs`` or ``tools``: inside the installed package (``.mim``, as MMSeg has it), or beside it in a clone."""
    installed = PACKAGE / '.mim' / name
    return installed if installed.is_dir() else PACKAGE.parent / name
