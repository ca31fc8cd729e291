"""Which images to label next: those that the branches disagree about, of each class some, no two alike."""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmseg.models import BaseSegmentor
from torch import Tensor
from torch.nn import functional as F

from ..datasets import inspection, unlabeled_folder
from ..datasets.selection import NEAR_DUPLICATE, thin_out
from ..datasets.sources import image_suffixes, part_configs
from ..datasets.splits import find_listed, listed_name, read_split, write_split
from ..deploy import read_checkpoint
from ..deploy.stock_config import test_pipeline
from ..evaluation import image_uncertainty, mutual_information
from ..evaluation.uncertainty import ImageUncertainty
from ..models.utils import class_logits, without_padding
from ..models.utils.taps import deepest_level, encoder_of
from ..utils import UserError, counted, progress
from ..utils.files import check_writable, whole_file
from ..utils.images import UnreadableImage, check_image_is_whole, displayed, list_images
from ..utils.tables import table_text
from ..visualization import Tile, contact_sheet, paint
from .config import load_config
from .dark_images import warn_of_dark_images
from .model import Preparation, load_model, networks_of, preprocessed, refusals_named

RANKING, SHEET = 'ranking.csv', 'contact_sheet.png'
# The mean over the whole image cannot tell repeated images from images of the same material: on NEU-Seg both have a cosine
# of 0.9999. With cells, repeated ones stay at 1.000 and the others fall below 0.999.
GRID = 4
LABELED, UNLABELED = '_labeled.txt', '_unlabeled.txt'


@dataclass
class RankedImage:
    """One line of the ranking.

    Attributes:
        name: Path below the folder that was given; with ``split_in`` the name in the split.
        uncertainty: What the branches do not agree on.
        repeats: Name of the better ranked image that this one resembles; empty for those that are to be labelled.
    """

    name: str
    uncertainty: ImageUncertainty
    repeats: str = ''


def rank_unlabeled(
    config: str,
    checkpoint: str,
    folder: str,
    out: str,
    count: int | None = None,
    similarity: float = NEAR_DUPLICATE,
    split_in: str | None = None,
    split_out: str | None = None,
    sheet: int = 24,
    device: str = 'cpu',
    options: Sequence[str] = (),
) -> list[RankedImage]:
    """Rank unlabelled images by the disagreement of the branches.

    Without ``split_in``, images that the config labels, validates or tests on are left out where its data is there. Writes
    ``ranking.csv`` and ``contact_sheet.png`` to ``out``, and with ``split_out`` the split files in which the first
    ``count`` images have moved from the unlabelled to the labelled ones. Its names have no suffix, as the ``ann_file`` of
    MMSegmentation's data sets and that of ``UnlabeledFolderDataset`` take them.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        checkpoint: Of a segmentor with two branches or more.
        folder: Images; with ``split_in`` what the names in the split are relative to.
        out: Folder for the results.
        count: How many to label next, for ``split_out``.
        similarity: Cosine similarity of the encoder features above which two images are near-duplicates; the worse ranked
            one goes behind all others. 1: none are.
        split_in: ``PREFIX`` of ``PREFIX_labeled.txt`` and ``PREFIX_unlabeled.txt``; only the images in the second are ranked.
        split_out: Likewise, for the new split. Without ``split_in`` its labelled part is what is to be labelled, its
            unlabelled part the rest of the folder.
        sheet: Images on the contact sheet.
        device: Such as ``cpu`` or ``cuda:0``.
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
    root, target = Path(folder), Path(out)
    check_writable(target / RANKING)
    content = read_checkpoint(checkpoint)
    cfg = load_config(config, options)
    suffixes = image_suffixes(cfg)
    files = find_images(root, split_in, suffixes)
    if split_in is None:
        files = without_used(files, cfg)
    if count is not None and not 1 <= count <= len(files):
        raise UserError(f'--count must be from 1 to the {len(files)} images that are ranked, got {count}')
    names = split_names(files, suffixes) if split_out and not split_in else dict(zip(files, files))
    model = load_model(cfg, content, device)
    if len(networks_of(model)) < 2:
        raise UserError(
            f'{checkpoint} is of a single network; images are ranked by the disagreement of two or more, so it takes one '
            'trained with branches, such as by configs/simeps/'
        )
    prepare = Preparation(cfg)
    warn_of_dark_images(test_pipeline(cfg, 'test')[0], list(files.values()))
    ranking, failed = rank_files(model, prepare, files, similarity)
    if not ranking:
        raise UserError('none of the images could be read:\n' + '\n'.join(failed))
    write_ranking(target / RANKING, ranking, model.dataset_meta['classes'])
    fresh = sum(not image.repeats for image in ranking)
    print(
        f'{counted(len(ranking), "image")} in {target / RANKING}, {len(ranking) - fresh} of them near-duplicates of better '
        'ranked ones'
    )
    if sheet:
        with whole_file(target / SHEET) as partial:
            sheet_figure(model, prepare, ranking[:sheet], files).savefig(partial, dpi=150)
        print(f'the first {min(sheet, len(ranking))} in {target / SHEET}')
    if split_out:
        move(split_in, split_out, [names[image.name] for image in ranking], count, fresh)
        chosen = {files[image.name].as_posix() for image in ranking[:count]}
        tell_of_other_suffixes(chosen, suffixes)
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


def without_used(files: dict[str, Path], cfg: Config) -> dict[str, Path]:
    """Image files less those that the data sets of a config label, validate or test on, and their masks.

    Raises:
        UserError: If none is left.
    """
    names = list(files)
    for part, key, config in part_configs(cfg):
        if part == inspection.UNLABELED:
            continue
        try:
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


@torch.no_grad()
def probabilities_and_features(model: BaseSegmentor, data: dict) -> tuple[Tensor, np.ndarray]:
    """What each network says of one image, at the size of the network's input.

    Args:
        model: With K networks.
        data: ``inputs`` and ``data_samples`` of :class:`Preparation`.

    Returns:
        Probabilities (K, C, h, w), and features (d,): each network's deepest encoder map averaged over the cells of a grid,
        made unit length, one behind the other.
    """
    inputs, samples = preprocessed(model, [data])
    logits, features = [], []
    for network in networks_of(model):
        maps: list[Tensor] = []
        with ExitStack() as stack:
            handle = encoder_of(network).register_forward_hook(
                lambda _, __, found, maps=maps: maps.append(deepest_level(found))
            )
            stack.callback(handle.remove)
            logits.append(class_logits(network, network.inference(inputs, [dict(samples[0].metainfo)])))
        pooled = torch.stack([F.adaptive_avg_pool2d(one.float(), GRID) for one in maps]).mean(dim=0)  # several: slides
        features.append(F.normalize(pooled.flatten(), dim=0))
    probabilities = torch.cat(logits).float().softmax(dim=1)
    return without_padding(probabilities, samples[0].metainfo), torch.cat(features).cpu().numpy()


def assess(model: BaseSegmentor, prepare: Preparation, file: Path) -> tuple[ImageUncertainty, np.ndarray]:
    """Uncertainty and features of one file.

    Raises:
        UnreadableImage: If it cannot be decoded, or the network refuses it.
    """
    check_image_is_whole(file)
    _, data = prepare(str(file))
    with refusals_named():
        probabilities, features = probabilities_and_features(model, data)
    return image_uncertainty(probabilities), features


def rank_files(
    model: BaseSegmentor, prepare: Preparation, files: Mapping[str, Path], similarity: float
) -> tuple[list[RankedImage], list[str]]:
    """Assess and rank image files.

    Args:
        model: With two networks or more.
        prepare: The way from a file to the model's input.
        files: By name.
        similarity: Cosine above which images are near-duplicates.

    Returns:
        Those that could be read, as :func:`rank` orders them, and a line for each of the others.
    """
    names, uncertainties, features, failed = [], [], [], []
    for name, file in progress(files.items(), 'rank unlabelled images'):
        try:
            uncertainty, feature = assess(model, prepare, file)
        except UnreadableImage as error:
            failed.append(f'  - {file}: {error}')
            continue
        names.append(name)
        uncertainties.append(uncertainty)
        features.append(feature.astype(np.float16))  # many of them, each up to 100,000 long
    return (rank(names, uncertainties, np.stack(features), similarity) if names else []), failed


def rank(
    names: Sequence[str], uncertainties: Sequence[ImageUncertainty], features: np.ndarray, similarity: float
) -> list[RankedImage]:
    """Images by falling score, their likeliest classes taking turns; near-duplicates of better ones behind all others.

    By score alone the classes that the networks know least would take nearly all of the first places.

    Args:
        names: Of the images.
        uncertainties: One each.
        features: One row each, shape (n, d).
        similarity: Cosine above which images are near-duplicates.
    """
    order = sorted(range(len(names)), key=lambda index: (-uncertainties[index].score, names[index]))
    repeats = thin_out(features, order, similarity)
    turns = take_turns([index for index in order if repeats[index] < 0], lambda index: uncertainties[index].likeliest)
    kept = [RankedImage(names[index], uncertainties[index]) for index in turns]
    thinned = [
        RankedImage(names[index], uncertainties[index], names[repeats[index]]) for index in order if repeats[index] >= 0
    ]
    return kept + thinned


def take_turns(order: Sequence[int], group_of: Callable[[int], int]) -> list[int]:
    """The first of each group, then the second of each, and so on; within a round as in ``order``."""
    places: Counter[int] = Counter()
    rounds = []
    for index in order:
        rounds.append(places[group_of(index)])
        places[group_of(index)] += 1
    return [index for _, index in sorted(zip(rounds, order), key=lambda pair: pair[0])]


def write_ranking(path: Path, ranking: Sequence[RankedImage], classes: Sequence[str]) -> None:
    """The ranking as CSV."""
    with whole_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['rank', 'image', *ImageUncertainty._fields, 'near_duplicate_of'])
        for place, image in enumerate(ranking, 1):
            *values, likeliest = image.uncertainty
            numbers = (f'{value:.6g}' for value in values)
            writer.writerow([place, table_text(image.name), *numbers, classes[likeliest], table_text(image.repeats)])


def sheet_figure(
    model: BaseSegmentor, prepare: Preparation, ranking: Sequence[RankedImage], files: dict[str, Path], **layout
) -> Figure:
    """Image, prediction of the ensemble and mutual information of the first images; ``layout`` as of ``contact_sheet``."""
    tiles = []
    for place, image in progress(list(enumerate(ranking, 1)), 'draw'):
        shown, data = prepare(str(files[image.name]))
        probabilities, _ = probabilities_and_features(model, data)
        labels = probabilities.mean(dim=0).argmax(dim=0).cpu().numpy().astype(np.uint8)
        picture = _fitted(displayed(shown), labels.shape)
        tiles.append(
            Tile(
                picture,
                paint(picture, labels, model.dataset_meta['palette']),
                mutual_information(probabilities).cpu().numpy(),
                f'{place}. {image.name}\n{image.uncertainty.score:.3f} nats',
            )
        )
    return contact_sheet(tiles, **layout)


def _fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)


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
