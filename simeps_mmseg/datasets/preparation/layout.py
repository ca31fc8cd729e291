"""From a download to the MMSeg layout with split files: check everything, then put it in place at once."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...utils import UserError, progress
from ...utils.files import check_writable
from ..splits import FRACTIONS, checksum, make_splits, read_split, split_files
from .reader import DatasetReader, Item, PreparationError, check_size

MANIFEST = 'dataset.json'
TEST_SPLIT = 'splits/test.txt'


@dataclass
class Record:
    """What is kept of an image: its name, whether it is for test, and the pixels of each class."""

    name: str
    test: bool
    pixels: list[int]

    @property
    def defective(self) -> bool:
        return any(self.pixels[1:])

    @property
    def classes(self) -> tuple[int, ...]:
        """Indices of the foreground classes present."""
        return tuple(k for k, count in enumerate(self.pixels) if k and count)


def prepare(
    reader: DatasetReader,
    data_root: str | Path = 'data',
    seed: int = 0,
    fractions: Sequence[float] = (),
    val_fraction: float = 0.15,
    stratify: bool = False,
    check_facts: bool = True,
) -> Path:
    """Write ``images/``, ``annotations/`` and ``splits/`` of a data set below ``data_root``.

    Everything is checked and written beside the final place first and moved there at the end, so an interruption leaves
    what was there before. A second call finds the images in place and only writes the split files anew.

    Args:
        reader: Of the data set.
        data_root: Parent of the data set's folder.
        seed: Of the splits.
        fractions: Percentages of labelled images beside the usual ones.
        val_fraction: Share of the training images for validation.
        stratify: Whether to balance validation and labelled parts by the classes present.
        check_facts: Whether the numbers of images must be those of the complete data set.

    Returns:
        The folder of the data set.

    Raises:
        PreparationError: With every problem of the download. Nothing is written then.
        UserError: If something that this function did not write stands in the way.
    """
    folder = (Path(data_root) / reader.folder).resolve()  # a link stays one
    check_writable(folder.with_name(f'.{folder.name}.probe'))
    _recover(folder)
    items, problems = reader.find()
    if not items:
        raise PreparationError(problems or ['no images'], f'Expected {reader.download}.')
    records = None if problems else read_manifest(folder, reader, items)
    if records is not None and check_facts:
        _check_facts(reader, records)
    partial = folder.with_name(f'.{reader.folder}.partial')
    try:
        if records is None:
            _check_that_it_is_ours(folder)
            shutil.rmtree(partial, ignore_errors=True)
            records = _write_images(reader, items, partial, check_facts, problems)
            _write_splits(partial, records, reader, seed, fractions, val_fraction, stratify)
            _keep_other_splits(folder, partial, records)
            _replace(folder, partial)
        else:
            _write_splits(folder, records, reader, seed, fractions, val_fraction, stratify)
    except OSError as error:
        raise UserError(f'{folder} cannot be written: {error}') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Path(data_root) / reader.folder


def read_manifest(folder: Path, reader: DatasetReader, items: Sequence[Item]) -> list[Record] | None:
    """What an earlier call wrote, if it is complete and of the same images; else None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        records = [Record(**record) for record in manifest['images']]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = sorted(record.name for record in records) == sorted(item.name for item in items)
    same = same and manifest.get('made_with') == reader.made_with
    return records if same and _all_written(folder, records) else None


def _check_that_it_is_ours(folder: Path) -> None:
    """Never replace a folder that somebody else filled, such as the download itself."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UserError(
            f'{folder} is there already and was not written by this tool: move it away, or choose another --data-root'
        )


def _recover(folder: Path) -> None:
    """Undo a replacement that was cut off between its two renames."""
    outdated = _outdated(folder)
    if outdated.exists() and not folder.exists():
        os.rename(outdated, folder)


def _outdated(folder: Path) -> Path:
    return folder.with_name(f'.{folder.name}.outdated')


def _all_written(folder: Path, records: Sequence[Record]) -> bool:
    return {record.name for record in records} <= _names(folder / 'images') & _names(folder / 'annotations')


def _names(folder: Path) -> set[str]:
    """Names of the files below a folder, as split files have them."""
    return {path.relative_to(folder).with_suffix('').as_posix() for path in folder.rglob('*') if path.is_file()}


def _write_images(
    reader: DatasetReader, items: Sequence[Item], folder: Path, check_facts: bool, problems: list[str]
) -> list[Record]:
    """Read every image, also after a problem, and write as long as there is none."""
    records, problems = [], list(problems)
    for item in progress(items, f'reading {reader.folder}'):
        try:
            content, mask = reader.load(item)
            if check_facts:
                check_size(mask, reader.facts, item.image)
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        pixels = np.bincount(mask.ravel(), minlength=len(reader.classes)).tolist()
        records.append(Record(item.name, item.test, pixels))
        if not problems:
            _write_pair(folder, item.name, reader.suffix, content, mask)
    if problems:
        raise PreparationError(problems, f'Mend these files or download them again: {reader.download}.')
    if check_facts:
        _check_facts(reader, records)
    manifest = dict(
        classes=list(reader.classes), made_with=reader.made_with, images=[vars(record) for record in records]
    )
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return records


def _write_pair(folder: Path, name: str, suffix: str, content: bytes, mask: np.ndarray) -> None:
    image, annotation = folder / 'images' / f'{name}{suffix}', folder / 'annotations' / f'{name}.png'
    for path in (image, annotation):
        path.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(content)
    Image.fromarray(mask).save(annotation)


def _check_facts(reader: DatasetReader, records: Sequence[Record]) -> None:
    if differences := fact_problems(reader, records):
        raise PreparationError(
            differences,
            f'Download the set again ({reader.download}), or add --allow-other-counts if this is meant to be a part of it.',
        )


def fact_problems(reader: DatasetReader, records: Sequence[Record]) -> list[str]:
    """Sentences on numbers of images that are not those of the complete data set."""
    facts = reader.facts
    if facts is None:
        return []
    train = [record for record in records if not record.test]
    found = {
        'training images': (len(train), facts.train),
        'test images': (len(records) - len(train), facts.test),
        **{
            f'training images with {name}': (sum(bool(r.pixels[reader.classes.index(name)]) for r in train), expected)
            for name, expected in facts.images_with_class.items()
        },
    }
    if facts.without_defect is not None:
        found['images without defect'] = (sum(not record.defective for record in records), facts.without_defect)
    return [
        f'{what}: found {number}, expected {expected}'
        for what, (number, expected) in found.items()
        if number != expected
    ]


def _write_splits(
    folder: Path,
    records: Sequence[Record],
    reader: DatasetReader,
    seed: int,
    fractions: Sequence[float],
    val_fraction: float,
    stratify: bool,
) -> None:
    used = [record for record in records if record.defective or not reader.only_defective]
    strata = {record.name: record.classes for record in used}
    test = [record.name for record in used if record.test]
    train = [record.name for record in used if not record.test]
    drawn_from = len(train)
    if reader.test_fraction:
        # One test set for all seeds, so that their scores can be compared.
        parted = make_splits(train, seed=0, fractions=(), val_fraction=reader.test_fraction, strata=strata)
        train, test = parted.train, parted.val
    splits = make_splits(
        train,
        seed=seed,
        fractions=sorted({*FRACTIONS, *map(float, fractions)}),
        val_fraction=val_fraction,
        strata=strata if stratify else None,
    )
    if reader.only_defective:
        free = [record for record in records if not record.defective]
        good = natural_share([one.name for one in free if not one.test], seed, len(splits.val) / max(1, drawn_from))
        splits = splits._replace(val=sorted([*splits.val, *good]))
    files = {TEST_SPLIT: sorted(test), **{f'splits/{name}': lines for name, lines in split_files(splits, seed).items()}}
    if reader.only_defective:
        files['splits/without_defect.txt'] = sorted(record.name for record in free)
    texts = {name: ''.join(f'{line}\n' for line in lines) for name, lines in files.items()}
    replaced = [
        name for name, text in texts.items() if (folder / name).is_file() and (folder / name).read_text() != text
    ]
    if replaced:
        print(
            f'{len(replaced)} split files of seed {seed} were made with other options and are replaced, such as '
            f'{replaced[0]}: trainings on them should not be resumed'
        )
    _remove_splits_of_other_options(folder / f'splits/seed{seed}', texts[f'splits/seed{seed}/val.txt'])
    for name, text in texts.items():
        _write_text(folder / name, text)


def natural_share(free: Sequence[str], seed: int, share: float) -> list[str]:
    """Images without defect for a validation set: of them as large a share as of the defective ones.

    A training on defective images alone is validated among good parts as well: they are where false alarms show.
    """
    return make_splits(free, seed=seed, fractions=(), val_fraction=share).val if free else []


def _remove_splits_of_other_options(folder: Path, validation: str) -> None:
    """Fractions made with another validation set would mix with it; those made with the same one stay.

    So do splits that users made, such as those of ``rank_unlabeled``.
    """
    old = folder / 'val.txt'
    if old.is_file() and old.read_text(encoding='utf-8') != validation:
        for path in folder.glob('*pct_*labeled.txt'):
            if re.fullmatch(r'[\d.]+pct_(un)?labeled', path.stem):
                path.unlink()


def _write_text(path: Path, text: str) -> None:
    """Write a text file so that a crash leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    partial.write_text(text, encoding='utf-8')
    os.replace(partial, path)


def _keep_other_splits(old: Path, new: Path, records: Sequence[Record]) -> None:
    """Splits of other seeds, or written by hand, survive a repaired image folder as far as they name its images."""
    known = {record.name for record in records}
    for path in (old / 'splits').rglob('*.txt'):
        target = new / path.relative_to(old)
        if not target.exists() and known.issuperset(read_split(path)):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _replace(folder: Path, partial: Path) -> None:
    """Put ``partial`` in the place of ``folder``; what was there goes only after that."""
    outdated = _outdated(folder)
    shutil.rmtree(outdated, ignore_errors=True)
    if folder.exists():
        os.rename(folder, outdated)
    os.rename(partial, folder)
    shutil.rmtree(outdated, ignore_errors=True)


def summarize(folder: str | Path, seed: int = 0) -> list[tuple[str, int, str, list[int], list[int]]]:
    """What each split of a prepared data set holds.

    Returns:
        One row per split: its name, number of images, checksum of the names, and for each class the number of images in
        which it is present and its number of pixels.
    """
    folder = Path(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    pixels = {record['name']: np.array(record['pixels']) for record in manifest['images']}
    files = [folder / TEST_SPLIT, *(folder / 'splits' / f'seed{seed}').glob('*.txt')]
    rows = []
    for path in files:
        names = read_split(path)
        if not pixels.keys() >= set(names):  # a list of the user's own
            continue
        counts = np.array([pixels[name] for name in names]).reshape(len(names), len(manifest['classes']))
        rows.append(
            (path.stem, len(names), checksum(names), (counts > 0).sum(axis=0).tolist(), counts.sum(axis=0).tolist())
        )
    return sorted(rows, key=lambda row: (row[0].endswith('pct_unlabeled'), row[0].endswith('pct_labeled'), row[1]))
