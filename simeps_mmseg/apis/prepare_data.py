"""Prepare a data set and say what it holds."""

from collections.abc import Sequence
from pathlib import Path

from prettytable import PrettyTable

from ..datasets.preparation import (
    DAGMReader,
    DatasetReader,
    MagneticTileReader,
    NEUSegReader,
    SyntheticReader,
    open_source,
    prepare,
    summarize,
)
from ..utils import UserError

READERS = dict(neu=NEUSegReader, magnetic_tile=MagneticTileReader, dagm=DAGMReader)


def prepare_data(
    dataset: str,
    source: str | Path | None = None,
    data_root: str | Path = 'data',
    seed: int = 0,
    fractions: Sequence[float] = (),
    val_fraction: float = 0.15,
    stratify: bool = False,
    allow_other_counts: bool = False,
    **synthetic: int,
) -> Path:
    """Prepare a data set and print a summary.

    Args:
        dataset: ``neu``, ``magnetic_tile``, ``dagm`` or ``synthetic``.
        source: The downloaded archive or folder; not for ``synthetic``.
        data_root: Parent of the data set's folder.
        seed: Of the splits.
        fractions: Percentages of labels beside the usual ones.
        val_fraction: Share of training for validation.
        stratify: Whether to balance the splits by the classes present.
        allow_other_counts: Whether to accept other numbers of images than those of the complete data set.
        **synthetic: ``num_train``, ``num_test``, ``size`` and ``image_seed`` of the generated set.

    Returns:
        The folder of the data set.

    Raises:
        UserError: With everything that is wrong with the download or the arguments.
    """
    check_arguments(seed, fractions, val_fraction)
    reader = make_reader(dataset, source, synthetic)
    folder = prepare(
        reader,
        data_root=data_root,
        seed=seed,
        fractions=fractions,
        val_fraction=val_fraction,
        stratify=stratify,
        check_facts=not allow_other_counts,
    )
    print(summary(folder, reader.classes, seed))
    return folder


def check_arguments(seed: int, fractions: Sequence[float], val_fraction: float) -> None:
    """Raise ``UserError`` on numbers out of range."""
    if seed < 0:
        raise UserError(f'--seed must be 0 or more, got {seed}')
    wrong = [fraction for fraction in fractions if not 0 < fraction <= 100]
    if wrong:
        raise UserError(f'--fractions are percentages in (0, 100], got {wrong}')
    if not 0 <= val_fraction < 1:
        raise UserError(f'--val-fraction must be in [0, 1), got {val_fraction}')


def make_reader(dataset: str, source: str | Path | None, synthetic: dict[str, int]) -> DatasetReader:
    """The reader of a data set, its source opened."""
    if dataset != 'synthetic':
        return READERS[dataset](open_source(source))
    seed = synthetic.pop('image_seed', 0)
    try:
        return SyntheticReader(**synthetic, seed=seed)
    except ValueError as error:
        raise UserError(str(error)) from error


def summary(folder: Path, classes: Sequence[str], seed: int) -> str:
    """A table: for each split its images, and for each class the images that show it and its pixels."""
    table = PrettyTable(['split', 'images', 'checksum', *(f'{name}: images / pixels' for name in classes)])
    table.align = 'r'
    table.align['split'] = 'l'
    for name, images, digest, present, pixels in summarize(folder, seed):
        total = max(1, sum(pixels))
        cells = [f'{n} / {p} ({100 * p / total:.2f} %)' for n, p in zip(present, pixels)]
        table.add_row([name, images, digest, *cells])
    return f'{folder}, splits of seed {seed}:\n{table}'
