"""Predictions of several trained models on the same images, and the choice of these images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..evaluation import image_scores
from ..utils import UserError
from ..utils.images import IMAGE_ERRORS
from ..visualization import ComparedImage
from .evaluation_images import EvaluationImages
from .trained_model import TrainedModel


def choose_images(scores: Sequence[float], choice: str, count: int, seed: int = 0) -> list[int]:
    """Indices of the images to show.

    Args:
        scores: One for each image; NaN where it has none (no defect in its ground truth), which is neither good nor bad.
        choice: ``'random'``, ``'best'`` (best first) or ``'worst'`` (worst first).
        count: At most so many.
        seed: Of the random choice.

    Returns:
        Indices; of a random choice in ascending order.

    Example:
        >>> choose_images([0.5, float('nan'), 0.9, 0.1], 'worst', 2)
        [3, 0]
    """
    values = np.asarray(scores, float)
    scored = np.flatnonzero(~np.isnan(values))
    if choice == 'random':
        picked = np.random.default_rng(seed).permutation(scored)[:count]
        return sorted(map(int, picked))
    order = np.argsort(values[scored] if choice == 'worst' else -values[scored], kind='stable')
    return [int(index) for index in scored[order][:count]]


def compared_image(images: EvaluationImages, models: dict[str, TrainedModel], index: int) -> ComparedImage:
    """A row of the figure: what each model says of an image, with its per-image mIoU."""
    path = images.paths[index]
    with _named(path):
        target = images.target(index)
        predictions = {title: model.labels(path) for title, model in models.items()}
        captions = {}
        for title, labels in predictions.items():
            score = image_scores(labels, target, len(images.classes), images.ignore_index).miou
            captions[title] = 'no defect' if np.isnan(score) else f'mIoU {100 * score:.0f} %'
    return ComparedImage(images.image(index), target, predictions, captions, path.stem)


def image_miou(images: EvaluationImages, model: TrainedModel, index: int) -> float:
    with _named(images.paths[index]):
        labels = model.labels(images.paths[index])
        return image_scores(labels, images.target(index), len(images.classes), images.ignore_index).miou


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Tell which image it was that could not be read, segmented or scored."""
    try:
        yield
    except UserError:
        raise
    except IMAGE_ERRORS as error:
        raise UserError(f'{path} or its mask cannot be used: {error}; simeps check_dataset lists all such') from error
