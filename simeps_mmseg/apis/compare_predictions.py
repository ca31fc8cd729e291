"""Several trained methods side by side on the same images."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config

from ..evaluation import image_scores
from ..utils import UserError, progress
from ..utils.files import check_writable
from ..utils.images import IMAGE_ERRORS
from ..visualization import ComparedImage, choose_colors, comparison_figure
from .config import load_config
from .evaluation_images import EvaluationImages, TrainedModel

CHOICES = ('random', 'best', 'worst')


def compare_predictions(
    configs: Sequence[str],
    checkpoints: Sequence[str],
    labels: Sequence[str] | None = None,
    out: str | Path = 'comparison',
    names: Sequence[str] | None = None,
    choice: str = 'random',
    count: int = 5,
    by: str | None = None,
    seed: int = 0,
    split: str = 'test',
    errors: bool = False,
    colors: str = 'color_blind',
    dpi: int = 150,
    device: str = 'cpu',
    options: Sequence[str] = (),
) -> list[Path]:
    """Draw image, ground truth and the prediction of each method, as PNG and PDF.

    Args:
        configs: One per checkpoint, or one for all.
        checkpoints: At least one.
        labels: Names of the columns; by default the folders of the checkpoints.
        out: Path of the figure without suffix.
        names: File names of the images, in place of a choice.
        choice: ``'random'``, or ``'best'`` or ``'worst'`` by the per-image mIoU of the method ``by``.
        count: How many images are chosen.
        by: Label of a method; by default the last one.
        seed: Of the random choice.
        split: ``'test'`` or ``'val'``, of the first config.
        errors: Whether to show each method's errors by kind in place of its classes.
        colors: ``'color_blind'`` or ``'dataset'``.
        dpi: Pixels to the inch.
        device: Such as ``cpu`` or ``cuda:0``.
        options: ``key=value`` changes of all configs.

    Returns:
        The two files.

    Raises:
        UserError: If something is not there, or the methods have different classes.
    """
    cfgs = [load_config(config, options) for config in configs]
    titles = method_labels(cfgs, checkpoints, labels)
    if len(cfgs) == 1:
        cfgs *= len(checkpoints)
    if choice not in CHOICES or count < 1:
        raise UserError(f'images are chosen as {", ".join(CHOICES)}, 1 or more; got {choice} {count}')
    by = titles[-1] if by is None else by
    if by not in titles:
        raise UserError(f'--by {by}: the columns are called {", ".join(titles)}')
    images = EvaluationImages(cfgs[0], split)
    models = {
        title: TrainedModel(cfg, checkpoint, device, split) for title, cfg, checkpoint in zip(titles, cfgs, checkpoints)
    }
    for title, model in models.items():
        if model.model.num_classes != len(images.classes):
            raise UserError(
                f'{title} predicts {model.model.num_classes} classes, but the {split} set of {cfgs[0].filename} has '
                f'{len(images.classes)}: {", ".join(images.classes)}'
            )
    if names:
        chosen = images.indices(names)
    elif choice == 'random':
        chosen = choose_images(np.zeros(len(images)), choice, count, seed)
    else:
        everything = progress(range(len(images)), f'score {by}')
        chosen = choose_images([_score(images, models[by], index) for index in everything], choice, count, seed)
    rows = [compared_image(images, models, index) for index in progress(chosen, 'compare')]
    palette = choose_colors(colors, len(images.classes), images.palette)
    figure = comparison_figure(rows, images.classes, palette, errors=errors, ignore_index=images.ignore_index)
    return save_figure(figure, out, dpi)


def method_labels(cfgs: Sequence[Config], checkpoints: Sequence[str], labels: Sequence[str] | None) -> list[str]:
    """A different name for each method.

    Raises:
        UserError: If configs, checkpoints and labels do not match in number, or two labels are the same.
    """
    if len(cfgs) not in (1, len(checkpoints)):
        raise UserError(
            f'{len(cfgs)} configs and {len(checkpoints)} checkpoints: give one config for each checkpoint, in the same '
            'order, or one for all'
        )
    if labels is None:
        paths = [Path(checkpoint) for checkpoint in checkpoints]
        labels = [path.resolve().parent.name for path in paths]
        if len(set(labels)) < len(labels):
            labels = [f'{label}/{path.stem}' for label, path in zip(labels, paths)]
    if len(labels) != len(checkpoints):
        raise UserError(f'{len(labels)} labels for {len(checkpoints)} checkpoints: --labels takes one for each')
    if len(set(labels)) < len(labels):
        raise UserError(f'the columns need different names, got {", ".join(labels)}: set --labels')
    return list(labels)


def choose_images(scores: Sequence[float], choice: str, count: int, seed: int = 0) -> list[int]:
    """Which images to show.

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


def _score(images: EvaluationImages, model: TrainedModel, index: int) -> float:
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
        raise UserError(f'{path} or its mask cannot be used: {error}; tools/check_dataset.py lists all such') from error


def save_figure(figure: Figure, out: str | Path, dpi: int = 150) -> list[Path]:
    """Write a figure as ``<out>.png`` and ``<out>.pdf`` and say so.

    Args:
        figure: What to write.
        out: Path; a suffix ``.png`` or ``.pdf`` is taken off.
        dpi: Pixels to the inch.

    Raises:
        UserError: If ``dpi`` is below 10.
    """
    if dpi < 10:
        raise UserError(f'--dpi must be 10 or more, got {dpi}')
    out = Path(out)
    stem = out.with_suffix('') if out.suffix in ('.png', '.pdf') else out
    check_writable(stem.with_name(stem.name + '.png'))
    files = [stem.with_name(stem.name + suffix) for suffix in ('.png', '.pdf')]
    for file in files:
        figure.savefig(file, dpi=dpi)
    print(f'pictures: {", ".join(map(str, files))}')
    return files
