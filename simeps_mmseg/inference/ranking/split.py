"""The split that is ranked, and the one in which the first images of a ranking are labelled."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ...datasets.splits import find_listed, listed_name, read_split, write_split
from ...utils import UserError, counted

LABELED, UNLABELED = '_labeled.txt', '_unlabeled.txt'


def read_part(split: str, part: str) -> list[str]:
    """Names in the labelled or the unlabelled part of a split.

    Raises:
        UserError: If its file is not there.
    """
    path = Path(f'{split}{part}')
    if not path.is_file():
        raise UserError(f'{path} is not there; --split-in is what {LABELED} and {UNLABELED} are put behind')
    return read_split(path)


def split_names(files: Mapping[str, Path], suffixes: Sequence[str]) -> dict[str, str]:
    """What a new split calls files: their names without suffix.

    Raises:
        UserError: If two would have the same name.
    """
    names = {file: listed_name(file, suffixes) for file in files}
    _, _, twice = find_listed(list(names.values()), list(files), suffixes)
    for name, alike in twice.items():
        raise UserError(
            f'{" and ".join(alike)} would both be {name} in a split, whose names have no suffix: without --split-out they '
            'are ranked; for a split put masks, or copies in another format, into a folder of their own, or rename one'
        )
    return names


def write_new_split(
    split_in: str | None, split_out: str, ranking: Sequence[str], called: Mapping[str, str], count: int, fresh: int
) -> None:
    """Write a split in which the first images of a ranking are labelled ones.

    Args:
        split_in: Prefix of the split that was ranked. None: nothing is labelled yet.
        split_out: Prefix of the new one.
        ranking: Names as in the split that was ranked, the first to label first, near-duplicates last.
        called: What the labelled part calls each: without suffix.
        count: How many are moved; all, where there are fewer.
        fresh: How many in the ranking are no near-duplicates.
    """
    count = min(count, len(ranking))
    if count > fresh:
        print(f'only {fresh} images are no near-duplicates; {count - fresh} near-duplicates are moved as well')
    chosen = set(ranking[:count])
    labeled, unlabeled = (
        (read_part(split_in, part) for part in (LABELED, UNLABELED)) if split_in else ([], sorted(ranking))
    )
    parts = {
        LABELED: sorted([*labeled, *(called[name] for name in chosen)]),
        UNLABELED: [name for name in unlabeled if name not in chosen],
    }
    for part, names in parts.items():
        write_split(f'{split_out}{part}', names)
        print(f'{counted(len(names), "image")} in {split_out}{part}')


def tell_of_other_suffixes(files: Collection[str], suffixes: Sequence[str]) -> None:
    """Say so where the config's labelled data set would look for files under another suffix than they have."""
    other = sorted(file for file in files if not file.endswith(tuple(suffixes)))
    if suffixes and other:
        print(
            f'{len(other)} of the images to label, such as {other[0]}, do not end in {" or ".join(suffixes)}: set img_suffix '
            'of a data set that takes them, or convert them'
        )
