"""Images by the disagreement of the branches, those of each class taking turns, near-duplicates last."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from mmseg.models import BaseSegmentor
from torch import Tensor
from torch.nn import functional as F

from ..datasets.selection import thin_out
from ..evaluation import image_uncertainty, mutual_information
from ..evaluation.uncertainty import ImageUncertainty
from ..models.utils import class_logits, without_padding
from ..models.utils.taps import deepest_level, encoder_of
from ..utils import progress
from ..utils.images import UnreadableImage, check_image_is_whole, displayed
from ..visualization import Tile, paint, thumbnail_grid
from .loading import networks_of
from .prediction import refusals_named
from .preparation import Preparation, preprocessed

# The mean over the whole image cannot tell repeated images from images of the same material: on NEU-Seg both have a cosine
# of 0.9999. With cells, repeated ones stay at 1.000 and the others fall below 0.999.
GRID = 4


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
    """Assess and rank a few image files, whose features are held in memory.

    Args:
        model: With two networks or more.
        prepare: The way from a file to the model's input.
        files: By name.
        similarity: Cosine above which images are near-duplicates.

    Returns:
        Those that could be read, as :func:`rank` orders them, and a line for each of the others.
    """
    names: list[str] = []
    uncertainties: list[ImageUncertainty] = []
    failed: list[str] = []
    features = np.empty((0, 0), np.float16)  # many of them, each up to 100,000 long
    for name, file in progress(files.items(), 'rank unlabelled images'):
        try:
            uncertainty, feature = assess(model, prepare, file)
        except UnreadableImage as error:
            failed.append(f'  - {file}: {error}')
            continue
        if not names:
            features = np.empty((len(files), len(feature)), np.float16)
        features[len(names)] = feature
        names.append(name)
        uncertainties.append(uncertainty)
    return (rank(names, uncertainties, features[: len(names)], similarity) if names else []), failed


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
    if not names:
        return []
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


def contact_sheet(
    model: BaseSegmentor, prepare: Preparation, ranking: Sequence[RankedImage], files: dict[str, Path], **layout: Any
) -> Figure:
    """A figure with image, prediction of the ensemble and mutual information of each ranked image.

    Args:
        model: With two branches or more.
        prepare: What leads from a file to the input of the model.
        ranking: The images to draw, in order.
        files: Path of each by its name.
        layout: As of :func:`~simeps_mmseg.visualization.thumbnail_grid.thumbnail_grid`.
    """
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
    return thumbnail_grid(tiles, **layout)


def _fitted(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
