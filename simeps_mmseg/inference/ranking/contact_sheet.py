"""The ranked images in one picture."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from mmengine.logging import print_log
from mmseg.models import BaseSegmentor

from ...evaluation import mutual_information
from ...utils import progress
from ...utils.class_maps import likeliest_class
from ...utils.images import UnreadableImage, displayed
from ...visualization import Tile, paint, thumbnail_grid
from ..preparation import Preparation
from .one_image import probabilities_and_features
from .order import RankedImage


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
        try:
            shown, data = prepare(str(files[image.name]))
        except UnreadableImage as error:  # it could be read when it was ranked
            print_log(f'not on the contact sheet: {files[image.name]}: {error}', 'current', logging.WARNING)
            continue
        probabilities, _ = probabilities_and_features(model, data)
        labels = likeliest_class(probabilities.mean(dim=0), dim=0).cpu().numpy().astype(np.uint8)
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
