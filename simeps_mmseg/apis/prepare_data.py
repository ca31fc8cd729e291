"""Prepare a data set and say what it holds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

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
from ..datasets.preparation.source import Source
from ..utils import UsageError, UserError

READERS: dict[str, Callable[[Source], DatasetReader]] = dict(
    neu=NEUSegReader, magnetic_tile=MagneticTileReader, dagm=DAGMReader
)


def prepare_data(
    dataset: Literal['neu', 'magnetic_tile', 'dagm', 'synthetic'],
    source: str | Path | None = None,
    data_root: str | Path = 'data',
    seed: int = 0,
    fractions: Sequence[float] = (),
    val_fraction: float = 0.15,
    stratify: bool = False,
    allow_other_counts: bool = False,
    num_train: int | None = None,
    num_test: int | None = None,
    size: int | None = None,
    image_seed: int | None = None,
) -> Path:
    """Prepare a data set and print a summary.

    Args:
        dataset: NEU-Seg, Magnetic Tile, DAGM 2007, or generated surfaces, for which nothing is downloaded.
        source: The downloaded archive, or the folder it unpacks to; not for ``synthetic``.
        data_root: Folder in which the folder of the data set is made.
        seed: Seed of the splits; each seed has a folder of its own.
        fractions: Percentages of labels beside 1, 5, 10, 20, 30 and 50.
        val_fraction: Share of the training images that is kept for validation.
        stratify: Balance the splits by the classes present.
        allow_other_counts: Accept other numbers of images than those of the complete data set.
        num_train: Training images; of ``synthetic`` only, as are the next three. None: 640.
        num_test: Test images. None: 160.
        size: Height and width in pixels. None: 96.
        image_seed: Seed of the images. None: 0.

    Returns:
        The folder of the data set.

    Raises:
        UserError: With everything that is wrong with the download or the arguments.
    """
    check_arguments(seed, fractions, val_fraction)
    generated = dict(num_train=num_train, num_test=num_test, size=size, seed=image_seed)
    reader = make_reader(dataset, source, {name: value for name, value in generated.items() if value is not None})
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


def make_reader(dataset: str, source: str | Path | None, generated: dict[str, int]) -> DatasetReader:
    """The reader of a data set, its source opened.

    Args:
        dataset: A key of ``READERS``, or ``synthetic``.
        source: What was downloaded.
        generated: Arguments of ``SyntheticReader``.

    Raises:
        UserError: If the arguments are those of another data set, or out of range.
    """
    if dataset == 'synthetic':
        if source is not None:
            raise UsageError(f'synthetic is generated and has no source, got {source}')
        try:
            return SyntheticReader(**generated)
        except ValueError as error:
            raise UserError(str(error)) from error
    if dataset not in READERS:
        raise UsageError(f'the data sets are {", ".join([*READERS, "synthetic"])}, got {dataset}')
    if generated:
        raise UsageError('--num-train, --num-test, --size and --image-seed are options of synthetic only')
    if source is None:
        raise UsageError(f'{dataset} is made from a download: give the archive, or the folder it unpacks to')
    return READERS[dataset](open_source(source))


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
