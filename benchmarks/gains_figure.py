"""The figure of docs/gains.md: labels only and simEps-plus, set by set and seed by seed. Written by gains.py --update."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmarks.gains import Comparison, Place

GREY, BLUE = '#7F7F7F', '#0072B2'
BETWEEN_SEEDS = 0.22  # of the distance between two sets


def write_figure(found: 'Mapping[Place, Sequence[Comparison]]', path: Path) -> None:
    """Write :func:`gains_figure` as a PNG that is the same for the same runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gains_figure(found).savefig(path, dpi=150, metadata={'Software': None})


def gains_figure(found: 'Mapping[Place, Sequence[Comparison]]', key: str = 'mIoU_fg') -> 'Figure':
    """One line a seed, from the better of labels only to one branch of the method.

    Args:
        found: The seeds of each row.
        key: The score, over the test set in per cent.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 1.2 + 0.42 * len(found)), layout='constrained')
    axes = figure.subplots()
    for row, seeds in enumerate(found.values()):
        for number, one in enumerate(seeds):
            height = row + BETWEEN_SEEDS * (number - (len(seeds) - 1) / 2)
            before, after = max(one.labels_only(key)), one.alone(key)
            axes.plot(
                [before, after], [height, height], color=BLUE if after > before else GREY, linewidth=1.5, zorder=1
            )
            axes.scatter(before, height, color='white', edgecolors=GREY, s=26, label='labels only, the better of two')
            axes.scatter(
                after, height, color=BLUE, s=26, label=f'one branch of {NAMES[seeds[0].semi["run"]["method"]]}'
            )
    names = [f'{place.title}, {seeds[0].semi["labeled"]} labels' for place, seeds in found.items()]
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel('foreground IoU on the test set, %; one line a seed')
    axes.grid(axis='x', alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    figure.legend(unique.values(), unique.keys(), loc='outside upper right', ncols=2, frameon=False)
    return figure
