"""Which images to label next: those that the branches disagree about, of each class some, no two alike."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from ..datasets import unlabeled_folder
from ..datasets.checks import inspection
from ..datasets.sources import image_suffixes, part_configs
from ..datasets.splits import find_listed, listed_name, read_split, write_split
from ..evaluation.uncertainty import ImageUncertainty
from ..inference.dark_images import warn_of_dark_images
from ..inference.loading import networks_of
from ..inference.ranking import (
    GRID,
    Assessments,
    Assessor,
    RankedImage,
    assess_files,
    contact_sheet,
    rank,
)
from ..inference.records import file_digest, text_digest
from ..inference.workers import check_workers
from ..utils import UserError, counted
from ..utils.configs import load_config, test_pipeline
from ..utils.files import check_writable, whole_file
from ..utils.images import list_images
from ..utils.tables import table_text

RANKING, CONTACT_SHEET, ASSESSED = 'ranking.csv', 'contact_sheet.png', 'assessed'
LABELED, UNLABELED = '_labeled.txt', '_unlabeled.txt'


def rank_unlabeled(
    config: str,
    checkpoint: str,
    folder: str,
    out: str = 'ranking',
    count: int | None = None,
    similarity: float = 0.999,
    split_in: str | None = None,
    split_out: str | None = None,
    sheet: int = 24,
    device: str | None = None,
    workers: int = 1,
    options: Sequence[str] = (),
) -> list[RankedImage]:
    """Rank unlabelled images by the disagreement of the branches.

    Without ``split_in``, images that the config labels, validates or tests on are left out where its data is there. Writes
    ``ranking.csv`` and ``contact_sheet.png`` to ``out``, and with ``split_out`` the split files in which the first
    ``count`` images have moved from the unlabelled to the labelled ones. Its names have no suffix, as the ``ann_file`` of
    MMSegmentation's data sets and that of ``UnlabeledFolderDataset`` take them.

    Until all is written, ``out/assessed`` holds what is known of each image: a second call passes over these, unless they
    have changed since, or weights, config or folder are others.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        checkpoint: Path of the weights of a segmentor with two branches or more.
        folder: Folder of images; with ``split_in`` the one that the names in the split start from.
        out: Folder for the results.
        count: How many to label next, for ``split_out``.
        similarity: Cosine similarity of the encoder features above which two images are near-duplicates; the worse ranked
            one goes behind all others. 1: none are.
        split_in: ``PREFIX`` of ``PREFIX_labeled.txt`` and ``PREFIX_unlabeled.txt``; only the images in the second are ranked.
        split_out: Likewise, for the new split. Without ``split_in`` its labelled part is what is to be labelled, its
            unlabelled part the rest of the folder.
        sheet: Images on the contact sheet.
        device: Such as ``cpu`` or ``cuda:0``. None: the GPU where there is one, else the CPU.
        workers: Processes that each hold a model and share the images: on one GPU after the other, or on the cores.
        options: ``key=value`` changes of the config.

    Returns:
        The images from the first to label to the last; near-duplicates follow behind.

    Raises:
        UserError: If something is missing, the model has a single network, or, after the rest is written, images could not
            be read.
    """
    if bool(split_out) != (count is not None):
        raise UserError(
            '--split-out and --count go together: where the new split goes, and how many images are labelled in it'
        )
    existing = [
        f'{split_out}{part}' for part in (LABELED, UNLABELED) if split_out and Path(f'{split_out}{part}').exists()
    ]
    if existing:
        raise UserError(f'{existing[0]} is there already; give --split-out another name')
    if split_out:
        check_writable(f'{split_out}{LABELED}')
    if sheet < 0 or not 0 < similarity <= 1:
        raise UserError(f'--sheet is 0 or more and --similarity in (0, 1], got {sheet} and {similarity}')
    check_workers(workers, device)
    root, target = Path(folder), Path(out)
    check_writable(target / RANKING)
    cfg = load_config(config, options)
    suffixes = image_suffixes(cfg)
    files = find_images(root, split_in, suffixes)
    if split_in is None:
        files = not_used_by(cfg, files)
    if count is not None and not 1 <= count <= len(files):
        raise UserError(f'--count must be from 1 to the {len(files)} images that are ranked, got {count}')
    names = split_names(files, suffixes) if split_out and not split_in else dict(zip(files, files))
    assessor = Assessor(cfg, checkpoint, device)  # of several processes each has its own, and this one draws
    model, prepare = assessor.model, assessor.prepare
    if len(networks_of(model)) < 2:
        raise UserError(
            f'{checkpoint} is of a single network; images are ranked by the disagreement of two or more, so it takes one '
            'trained with branches, such as by configs/simeps/'
        )
    warn_of_dark_images(test_pipeline(cfg, 'test')[0], list(files.values()))
    settings = dict(
        checkpoint_sha256=file_digest(Path(checkpoint)),
        config=text_digest(cfg.pretty_text),
        folder=root.resolve().as_posix(),
        grid=GRID,
    )
    assessed = Assessments(target / ASSESSED, settings)
    failed = assess_files(assessor, files, assessed, workers, device)
    ranking = rank(*assessed.of(files), similarity)
    if not ranking:
        raise UserError('none of the images could be read:\n' + '\n'.join(failed))
    write_ranking(target / RANKING, ranking, model.dataset_meta['classes'])
    fresh = sum(not image.repeats for image in ranking)
    print(
        f'{counted(len(ranking), "image")} in {target / RANKING}, {len(ranking) - fresh} of them near-duplicates of better '
        'ranked ones'
    )
    if sheet:
        with whole_file(target / CONTACT_SHEET) as partial:
            contact_sheet(model, prepare, ranking[:sheet], files).savefig(partial, dpi=150)
        print(f'the first {min(sheet, len(ranking))} in {target / CONTACT_SHEET}')
    if split_out and count is not None:
        move(split_in, split_out, [names[image.name] for image in ranking], count, fresh)
        chosen = {files[image.name].as_posix() for image in ranking[:count]}
        tell_of_other_suffixes(chosen, suffixes)
    assessed.remove()
    if failed:
        raise UserError(
            f'{counted(len(failed), "image")} could not be read; the others are ranked:\n' + '\n'.join(failed)
        )
    return ranking


def find_images(root: Path, split: str | None, suffixes: Sequence[str] = ()) -> dict[str, Path]:
    """Images by name: all below a folder, or those of the unlabelled part of a split, as the split names them.

    Args:
        root: The folder.
        split: Prefix of the split. None: all.
        suffixes: What the config's data sets add to the names.

    Raises:
        UserError: If there are none, or the split names others.
    """
    found = list_images(root)
    if not found:
        raise UserError(f'{root} is no folder with images')
    if split is None:
        return {name: root / name for name in found}
    by_name, missing, twice = find_listed(_read_part(split, UNLABELED), found, suffixes)
    if missing:
        raise UserError(
            f'{len(missing)} images of {split}{UNLABELED} are not below {root}, such as {missing[0]}; the folder is the one '
            'that the names in the split start from (data_root and data_prefix.img_path of the data set)'
        )
    for name, files in twice.items():
        raise UserError(
            f'{name} of {split}{UNLABELED} is {" and ".join(str(root / file) for file in files)} ({len(twice)} such names): '
            'they have no suffix, so put masks, or copies in another format, into a folder of their own'
        )
    return {name: root / file for name, file in by_name.items()}


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


def tell_of_other_suffixes(files: Collection[str], suffixes: Sequence[str]) -> None:
    """Say so where the config's labelled data set would look for files under another suffix than they have."""
    other = sorted(file for file in files if not file.endswith(tuple(suffixes)))
    if suffixes and other:
        print(
            f'{len(other)} of the images to label, such as {other[0]}, do not end in {" or ".join(suffixes)}: set img_suffix '
            'of a data set that takes them, or convert them'
        )


def not_used_by(cfg: Config, files: dict[str, Path]) -> dict[str, Path]:
    """Image files less those that the data sets of a config label, validate or test on, and their masks.

    Raises:
        UserError: If none is left.
    """
    names = list(files)
    for part, key, config in part_configs(cfg):
        if part == inspection.UNLABELED:
            continue
        try:
            if unlabeled_folder.is_absent(config):
                raise FileNotFoundError('its folders are not there')
            names = unlabeled_folder.without_used({name: files[name] for name in names}, [config])
        except Exception as error:  # whatever a data set class raises where its data is not there
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f'{key} cannot be listed ({reason}): where its images are in the folder, they are ranked, too')
    if not names:
        raise UserError('all of the images are labelled, validated or tested on by the config')
    if len(names) < len(files):
        print(f'{len(files) - len(names)} files are left out: the config labels, validates or tests on them')
    return {name: files[name] for name in names}


def _read_part(split: str, part: str) -> list[str]:
    path = Path(f'{split}{part}')
    if not path.is_file():
        raise UserError(f'{path} is not there; --split-in is what {LABELED} and {UNLABELED} are put behind')
    return read_split(path)


def write_ranking(path: Path, ranking: Sequence[RankedImage], classes: Sequence[str]) -> None:
    """The ranking as CSV."""
    with whole_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['rank', 'image', *ImageUncertainty._fields, 'near_duplicate_of'])
        for place, image in enumerate(ranking, 1):
            *values, likeliest = image.uncertainty
            numbers = (f'{value:.6g}' for value in values)
            texts = (table_text(text) for text in (classes[likeliest], image.repeats))
            writer.writerow([place, table_text(image.name), *numbers, *texts])


def move(split_in: str | None, split_out: str, ranking: Sequence[str], count: int, fresh: int) -> None:
    """Write a split in which the first images of a ranking are labelled ones.

    Args:
        split_in: Prefix of the split that was ranked. None: nothing is labelled yet.
        split_out: Prefix of the new one.
        ranking: Names, the first to label first, near-duplicates last.
        count: How many are moved.
        fresh: How many in the ranking are no near-duplicates.
    """
    if count > fresh:
        print(f'only {fresh} images are no near-duplicates; {count - fresh} near-duplicates are moved as well')
    chosen = set(ranking[:count])
    labeled, unlabeled = (
        (_read_part(split_in, part) for part in (LABELED, UNLABELED)) if split_in else ([], sorted(ranking))
    )
    parts = {
        LABELED: sorted([*labeled, *chosen]),
        UNLABELED: [name for name in unlabeled if name not in chosen],
    }
    for part, names in parts.items():
        write_split(f'{split_out}{part}', names)
        print(f'{counted(len(names), "image")} in {split_out}{part}')
