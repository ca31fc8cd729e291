"""Which checkpoint a training that met NaN or infinity can go on from."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...utils import UserError
from ...utils.checkpoint import read_checkpoint
from .checkpoint_files import fault_of, periodic_checkpoints


class Proven(NamedTuple):
    """What the checkpoints of a work folder are worth.

    Attributes:
        path: The newest from whose weights a finite step was taken; None if there is none.
        unproven: Names of newer ones, newest first.
    """

    path: Path | None
    unproven: list[str]


def last_proven(folder: str | Path, last_finite: int, template: str | None = None) -> Proven:
    """The newest whole checkpoint, of steps or of the best score, from whose weights a finite step was taken.

    One that was written after the last finite step has weights that may have blown up in just that step.

    Args:
        folder: The work folder.
        last_finite: Index of the last iteration whose losses and gradients were finite, from 0; -1 without any.
        template: ``filename_tmpl`` of ``CheckpointHook``, if the config has one.
    """
    unproven: list[str] = []
    for steps, path in sorted(_by_steps(Path(folder), template), reverse=True):
        if steps <= last_finite:
            return Proven(path, unproven)
        unproven.append(path.name)
    return Proven(None, unproven)


def _by_steps(folder: Path, template: str | None) -> Iterator[tuple[int, Path]]:
    """Those that can be gone on from, with the iterations that they have behind them."""
    for path in [*periodic_checkpoints(folder, template), *folder.glob('best_*.pth')]:
        if fault_of(path) is None:
            try:
                checkpoint = read_checkpoint(path)
            except UserError:
                continue
            steps = checkpoint.get('meta', {}).get('iter')
            if isinstance(steps, int) and 'optimizer' in checkpoint:
                yield steps, path
