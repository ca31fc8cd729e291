"""Write a public set in the layout of ``simeps prepare_data``, with the splits of several seeds."""

from collections.abc import Sequence
from pathlib import Path

from simeps_mmseg.apis.prepare_data import check_arguments, summary
from simeps_mmseg.datasets.preparation import open_source, prepare, summarize
from simeps_mmseg.utils import UserError

from . import READERS

FEWEST = 8


def prepare_public(
    name: str,
    source: str | Path,
    data_root: str | Path = 'data',
    seeds: Sequence[int] = (0, 1, 2),
    fractions: Sequence[float] = (),
    val_fraction: float = 0.15,
    allow_other_counts: bool = False,
) -> Path:
    """Prepare a public set and print what the splits of the first seed hold.

    Validation and labelled parts are balanced by the classes present, which changes nothing where all images show the same.

    Args:
        name: One of :data:`READERS`.
        source: The downloaded folder or archive.
        data_root: Parent of the data set's folder.
        seeds: Of the splits.
        fractions: Percentages of labels beside the usual ones.
        val_fraction: Share of training for validation.
        allow_other_counts: Whether to accept other numbers of images than those of the complete set.

    Returns:
        The folder of the data set.

    Raises:
        UserError: With everything that is wrong with the download or the arguments.
    """
    if not seeds:
        raise UserError('--seeds needs at least one number')
    for seed in seeds:
        check_arguments(seed, fractions, val_fraction)
    reader = READERS[name](open_source(source))
    for seed in seeds:
        folder = prepare(
            reader,
            data_root=data_root,
            seed=seed,
            fractions=fractions,
            val_fraction=val_fraction,
            stratify=True,
            check_facts=not allow_other_counts,
        )
    print(summary(folder, reader.classes, seeds[0]))
    smallest = smallest_fraction(folder, seeds)
    if smallest is None:
        print(f'No labelled part has {FEWEST} images and every class for each of the seeds {list(seeds)}.')
    else:
        print(f'Labelled parts from {smallest:g} % on have {FEWEST} images or more and every class, for each seed.')
    return folder


def smallest_fraction(folder: str | Path, seeds: Sequence[int]) -> float | None:
    """The least percentage whose labelled part holds enough images and every class for each seed; None if there is none."""
    usable = [
        {
            float(name.removesuffix('pct_labeled'))
            for name, images, _, present, _ in summarize(folder, seed)
            if name.endswith('pct_labeled') and images >= FEWEST and all(present[1:])
        }
        for seed in seeds
    ]
    return min(set.intersection(*usable), default=None)
