"""Training logs as curves."""

from collections.abc import Sequence
from pathlib import Path

from ..utils import UsageError, UserError
from ..visualization.curves_figure import curves_figure
from ..visualization.files import save_figure
from ..visualization.training_log import read_training_log


def plot_log(
    runs: Sequence[str], labels: Sequence[str] | None = None, out: str | Path = 'curves', dpi: int = 150
) -> list[Path]:
    """Draw losses, pseudo-label health, learning rate and scores of one training or several, as PNG and PDF.

    Args:
        runs: Work folders, folders of single starts, or JSON files.
        labels: Names of the trainings. None: those of the folders.
        out: Path of the figure without suffix.
        dpi: Pixels to the inch.

    Returns:
        The two files.

    Raises:
        UserError: If a log is not there or empty, or the labels do not fit.
    """
    if not runs:
        raise UsageError('give the work folder of a training, or of several')
    names = list(labels) if labels else [Path(run).resolve().name for run in runs]
    if not labels and len(set(names)) < len(names):
        names = [str(run) for run in runs]
    if len(names) != len(runs) or len(set(names)) < len(names):
        raise UserError(f'{len(runs)} runs need as many different labels, got {", ".join(names)}: set --labels')
    logs = {name: read_training_log(run) for name, run in zip(names, runs)}
    for name, log in logs.items():
        told = f'{name}: {log.last_step} iterations'
        if log.resumed:
            told += f', resumed at {", ".join(map(str, log.resumed))}'
        if log.damaged:
            told += f'; {log.damaged} damaged lines left out'
        print(told)
    return save_figure(curves_figure(logs), out, dpi)
