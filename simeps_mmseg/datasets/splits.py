"""Which images are labelled, unlabelled and for validation: text files that come out the same on every machine.

A line is the path of an image below its folder without what the data set adds to it, its ``img_suffix``.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..utils import UserError, counted
from ..utils.files import whole_file
from ..utils.streams import shown
from .lists import decode_lines, walk_lines

FRACTIONS = (1.0, 5.0, 10.0, 20.0, 30.0, 50.0)


class Splits(NamedTuple):
    """Sorted names of the images of each part.

    Attributes:
        train: All of training, validation taken out.
        val: Validation.
        labeled: For each percentage the labelled part of ``train``. A smaller percentage lies within a larger one.
        unlabeled: For each percentage the rest of ``train``.
    """

    train: list[str]
    val: list[str]
    labeled: dict[float, list[str]]
    unlabeled: dict[float, list[str]]


def make_splits(
    names: Sequence[str],
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    val_fraction: float = 0.15,
    strata: Mapping[str, object] | None = None,
) -> Splits:
    """Divide training images into validation, labelled and unlabelled ones.

    The images are put in a random order once; validation and every labelled part are prefixes of it, which makes the
    labelled parts nested. With ``strata`` the order spreads each stratum evenly, so that every prefix holds about the same
    share of each.

    Args:
        names: Names of the training images, in any order: they are sorted first.
        seed: Of the generator; 0 is a seed like any other.
        fractions: Percentages of the images left after validation, in (0, 100].
        val_fraction: Share for validation, in [0, 1): rounded up, as in the paper (545 of NEU-Seg's 3,630).
        strata: For each name what it should be balanced by, such as the set of classes present.

    Returns:
        The parts; a labelled one has at least one image.

    Raises:
        ValueError: On names that repeat, or numbers out of range.

    Example:
        >>> splits = make_splits([f'{i:02d}' for i in range(20)], fractions=(10, 50))
        >>> [len(part) for part in (splits.val, splits.train, splits.labeled[10.0], splits.unlabeled[50.0])]
        [3, 17, 2, 9]
        >>> set(splits.labeled[10.0]) <= set(splits.labeled[50.0])
        True
    """
    if len(set(names)) != len(names):
        raise ValueError('the names of the images must differ')
    if not 0 <= val_fraction < 1:
        raise ValueError(f'val_fraction must be in [0, 1), got {val_fraction}')
    wrong = [fraction for fraction in fractions if not 0 < fraction <= 100]
    if wrong:
        raise ValueError(f'fractions are percentages in (0, 100], got {wrong}')
    order = _random_order(sorted(names), seed, strata)
    num_val = int(np.ceil(round(val_fraction * len(order), 6)))
    val, train = order[:num_val], order[num_val:]
    if strata is not None:
        train = _random_order(sorted(train), seed + 1, strata)
    counts = {float(f): min(len(train), max(1, round(len(train) * f / 100))) for f in fractions}
    return Splits(
        train=sorted(train),
        val=sorted(val),
        labeled={fraction: sorted(train[:count]) for fraction, count in counts.items()},
        unlabeled={fraction: sorted(train[count:]) for fraction, count in counts.items()},
    )


def _random_order(names: list[str], seed: int, strata: Mapping[str, object] | None) -> list[str]:
    generator = np.random.default_rng(seed)
    shuffled = [names[i] for i in generator.permutation(len(names))]
    if strata is None:
        return shuffled
    groups: dict[object, list[str]] = {}
    for name in shuffled:
        groups.setdefault(strata[name], []).append(name)
    # The j-th of a stratum of n images stands at (j + u) / n, with one random u per stratum.
    places = {}
    for stratum in sorted(groups, key=str):
        offset = generator.random()
        places.update({name: (j + offset) / len(groups[stratum]) for j, name in enumerate(groups[stratum])})
    return sorted(shuffled, key=lambda name: (places[name], name))


def split_files(splits: Splits, seed: int) -> dict[str, list[str]]:
    """Path below ``splits/`` and lines of each file: ``seed0/{train,val}.txt``, ``seed0/10pct_{labeled,unlabeled}.txt``."""
    files = {f'seed{seed}/train.txt': splits.train, f'seed{seed}/val.txt': splits.val}
    for part in ('labeled', 'unlabeled'):
        for fraction, names in getattr(splits, part).items():
            files[f'seed{seed}/{fraction:g}pct_{part}.txt'] = names
    return files


def checksum(names: Sequence[str]) -> str:
    """Twelve hexadecimal digits that identify a list of names."""
    return hashlib.sha256('\n'.join(names).encode()).hexdigest()[:12]


def read_split(path: str | Path) -> list[str]:
    """The names in a split file.

    Raises:
        UserError: If it is no UTF-8 text.
    """
    return decode_lines(Path(path).read_bytes(), path)


def write_split(path: str | Path, names: Sequence[str]) -> None:
    """Write names, one per line.

    Raises:
        UserError: If a name has bytes that are no UTF-8, which lists cannot hold.
    """
    unwritable = [name for name in names if shown(name) != name]
    if unwritable:
        raise UserError(
            f'{path}: lists are UTF-8, and {counted(len(unwritable), "name")} of files cannot be written in it '
            f'({shown(unwritable[0])}); rename the files'
        )
    with whole_file(path) as partial:
        partial.write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')


def walk_split(path: str | Path) -> Iterator[str]:
    """The names in a split file as :func:`read_split` gives them, one by one."""
    return walk_lines(Path(path).read_bytes(), path)


def listed_name(file: str, suffixes: Sequence[str] = ()) -> str:
    """What a split calls a file: its path without the longest of ``suffixes`` that it ends with, or else without its own.

    Example:
        >>> listed_name('a/b_leftImg8bit.png', ['_leftImg8bit.png']), listed_name('a/b.JPG', ['.png'])
        ('a/b', 'a/b')
    """
    lower = file.lower()
    ends = [len(suffix) for suffix in suffixes if lower.endswith(suffix.lower())]
    return file[: -(max(ends) if ends else len(_suffix(file))) or None]


def _suffix(file: str) -> str:
    """``PurePosixPath.suffix`` at a tenth of its time."""
    name = file.rpartition('/')[2]
    dot = name.rfind('.')
    return name[dot:] if 0 < dot < len(name) - 1 else ''


def find_listed(
    names: Sequence[str], files: Sequence[str], suffixes: Sequence[str] = ()
) -> tuple[dict[str, str], list[str], dict[str, list[str]]]:
    """The files that the lines of a split mean: named by their path, or by that without suffix.

    Args:
        names: The lines.
        files: Paths below the folder that the names start from.
        suffixes: What data sets add to a name, see :func:`listed_name`.

    Returns:
        The file of each name, the names of no file, and by name the files that it cannot tell apart.

    Example:
        >>> find_listed(['a', 'b.png', 'b', 'c'], ['a.jpg', 'b.jpg', 'b.png'])
        ({'a': 'a.jpg', 'b.png': 'b.png'}, ['c'], {'b': ['b.jpg', 'b.png']})
    """
    known: dict[str, list[str]] = {}
    for file in files:
        for name in {listed_name(file), listed_name(file, suffixes)}:
            known.setdefault(name, []).append(file)
    known.update({file: [file] for file in files})
    missing = [name for name in names if name not in known]
    twice = {name: known[name] for name in names if len(known.get(name, ())) > 1}
    return {name: known[name][0] for name in names if name in known and name not in twice}, missing, twice
