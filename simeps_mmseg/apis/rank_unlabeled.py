"""Which images to label next: those that the branches disagree about, of each class some, no two alike."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..datasets.sources import image_suffixes
from ..datasets.splits import listed_name
from ..inference.dark_images import warn_of_dark_images
from ..inference.loading import networks_of
from ..inference.ranking import (
    GRID,
    LABELED,
    UNLABELED,
    Assessments,
    Assessor,
    RankedImage,
    assess_files,
    contact_sheet,
    find_images,
    not_used_by,
    rank,
    split_names,
    tell_of_other_suffixes,
    write_new_split,
    write_ranking,
)
from ..inference.records import file_digest, text_digest
from ..inference.workers import check_workers
from ..utils import UserError, counted
from ..utils.configs import load_config, test_pipeline
from ..utils.files import check_writable, whole_file

RANKING, CONTACT_SHEET, ASSESSED = 'ranking.csv', 'contact_sheet.png', 'assessed'


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
        labeled = {
            names[file]: listed_name(Path(os.path.relpath(path, root)).as_posix(), suffixes)
            for file, path in files.items()
        }
        write_new_split(split_in, split_out, [names[image.name] for image in ranking], labeled, count, fresh)
        chosen = {files[image.name].as_posix() for image in ranking[:count]}
        tell_of_other_suffixes(chosen, suffixes)
    assessed.remove()
    if failed:
        raise UserError(
            f'{counted(len(failed), "image")} could not be read; the others are ranked:\n' + '\n'.join(failed)
        )
    return ranking
