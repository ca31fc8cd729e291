"""Checkpoint files, read under the protection of ``weights_only``."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError

import torch

from ..compat import allow_history_classes
from .errors import UserError
from .weights import check_finite


def find_checkpoint(path: str | Path) -> Path:
    """Path of a checkpoint file, after a look whether it is there.

    Raises:
        UserError: If it is not; names those beside it.
    """
    path = Path(path)
    if not path.is_file():
        others = sorted(file.name for file in path.parent.glob('*.pth'))
        beside = f'; in {path.parent} there are {", ".join(others)}' if others else ''
        raise UserError(f'checkpoint {path} is not there{beside}')
    return path


def read_checkpoint(path: str | Path) -> dict:
    """Load a checkpoint onto the CPU, under the protection of ``weights_only``.

    Returns:
        At least ``meta`` and ``state_dict``; a bare state dict is wrapped.

    Raises:
        UserError: If the file is not there, is damaged, or holds more than tensors and plain values; if a weight is NaN or
            infinite.
    """
    path = find_checkpoint(path)
    try:
        with history_readable():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # the bytes of whatever file are commands to the unpickler
        with path.open('rb') as file:
            start = file.read(16)
        if not start.startswith((b'PK', b'\x80')):  # zip and pickle: what torch.save writes, today and formerly
            raise UserError(
                f'checkpoint {path} cannot be loaded: it is no file that torch.save has written (it begins with {start!r})'
            ) from error
        raise UserError(not_loaded(f'checkpoint {path}', error)) from error
    if not isinstance(checkpoint, Mapping):
        raise UserError(f'checkpoint {path} holds a {type(checkpoint).__name__}, expected a dict with state_dict')
    if 'state_dict' not in checkpoint:
        checkpoint = dict(state_dict=checkpoint)
    state = checkpoint['state_dict']
    if not isinstance(state, Mapping):
        raise UserError(
            f'checkpoint {path}: its state_dict is a {type(state).__name__}, expected weights by their names'
        )
    check_finite(state, f'checkpoint {path}')
    return {**checkpoint, 'meta': checkpoint.get('meta') or {}}


def not_loaded(named: str, error: Exception) -> str:
    """The message for a file that a protected ``torch.load`` has refused.

    What PyTorch advises then, to load it without protection, is left out: the file may be from anyone.

    Args:
        named: The file or address.
        error: Of ``torch.load``.
    """
    text = str(error)
    if isinstance(error, UnpicklingError):
        asks = re.search(r'\bGLOBAL ([\w.]+\w)', text)
        reason = 'it may run any code, so it was not opened' + (f' (it asks for {asks[1]})' if asks else '')
    else:
        reason = (text or type(error).__name__).splitlines()[0]
    return (
        f'{named} cannot be loaded: {reason}\nIt holds Python objects beside its weights, or it is damaged. If it is from '
        'elsewhere, ask for a file of weights alone. If you have written it yourself, write a plain one with torch.load(..., '
        "weights_only=False) and torch.save(dict(meta=..., state_dict=...), 'plain.pth')."
    )


def save_checkpoint(content: Mapping, path: Path) -> None:
    """``torch.save`` by way of memory, as mmengine's ``CheckpointHook`` has it.

    Where the disk is full PyTorch raises ``RuntimeError`` about positions in an archive, from its own writer; Python says
    what is the matter.

    Raises:
        OSError: If the file cannot be written.
    """
    buffer = BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getbuffer())


@contextmanager
def history_readable() -> Iterator[None]:
    """Within this block a protected ``torch.load`` takes mmengine's log histories, also those written without this package.

    These pickle methods by way of ``getattr``. Here that name stands for a function that does nothing, so such files load
    too and still cannot run code.
    """
    allow_history_classes()
    with torch.serialization.safe_globals([(_no_attribute, 'builtins.getattr')]):
        yield


def _no_attribute(*args: object) -> None:
    """Stands for ``getattr`` while a checkpoint is read."""
