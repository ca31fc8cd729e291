"""Several trained methods side by side on the same images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mmengine.config import Config

from ..inference.comparison import choose_images, compared_image, image_miou
from ..inference.evaluation_images import EvaluationImages
from ..inference.trained_model import TrainedModel
from ..utils import UsageError, UserError, progress
from ..utils.configs import load_config
from ..visualization import choose_colors, comparison_figure
from ..visualization.files import save_figure

AT_RANDOM = 5  # images, where nothing else is said


def compare_predictions(
    configs: Sequence[str],
    checkpoints: Sequence[str],
    labels: Sequence[str] | None = None,
    out: str | Path = 'comparison',
    names: Sequence[str] | None = None,
    random: int | None = None,
    best: int | None = None,
    worst: int | None = None,
    by: str | None = None,
    seed: int = 0,
    split: Literal['test', 'val'] = 'test',
    errors: bool = False,
    colors: Literal['color_blind', 'dataset'] = 'color_blind',
    dpi: int = 150,
    device: str | None = None,
    options: Sequence[str] = (),
) -> list[Path]:
    """Draw image, ground truth and the prediction of each method, as PNG and PDF.

    Args:
        configs: Paths of configs, one per checkpoint or one for all.
        checkpoints: Paths of the weights, at least one.
        labels: Names of the columns. None: the folders of the checkpoints.
        out: Path of the figure without suffix.
        names: File names of the images. Without any, five are chosen at random.
        random: So many images at random, in place of ``names``.
        best: So many images that the method ``by`` does best, by per-image mIoU, in place of ``names``.
        worst: So many images that it does worst, in place of ``names``.
        by: Label of the method that decides what is best and worst. None: the last one.
        seed: Seed of the random choice.
        split: Set of the first config whose images are drawn.
        errors: Show each method's errors by kind in place of its classes.
        colors: ``color_blind``, which the colour-blind can tell apart, or ``dataset``, those of the data set.
        dpi: Pixels to the inch.
        device: Such as ``cpu`` or ``cuda:0``. None: the GPU where there is one, else the CPU.
        options: ``key=value`` changes of all configs.

    Returns:
        The two files.

    Raises:
        UserError: If something is not there, or the methods have different classes.
    """
    choice, count = chosen_way(names, random=random, best=best, worst=worst)
    cfgs = [load_config(config, options) for config in configs]
    titles = method_labels(cfgs, checkpoints, labels)
    if len(cfgs) == 1:
        cfgs *= len(checkpoints)
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
        chosen = choose_images([0.0] * len(images), choice, count, seed)
    else:
        everything = progress(range(len(images)), f'score {by}')
        chosen = choose_images([image_miou(images, models[by], index) for index in everything], choice, count, seed)
    rows = [compared_image(images, models, index) for index in progress(chosen, 'compare')]
    palette = choose_colors(colors, len(images.classes), images.palette)
    figure = comparison_figure(rows, images.classes, palette, errors=errors, ignore_index=images.ignore_index)
    return save_figure(figure, out, dpi)


def chosen_way(names: Sequence[str] | None, **counts: int | None) -> tuple[str, int]:
    """How images are chosen, and how many, from at most one of the counts.

    Raises:
        UsageError: If there are several, or one beside names, or one below 1.
    """
    given = {way: count for way, count in counts.items() if count is not None}
    if len(given) + bool(names) > 1:
        raise UsageError(f'give one of --names, {", ".join(f"--{way}" for way in counts)}, got several')
    way, count = next(iter(given.items()), ('random', AT_RANDOM))
    if count < 1:
        raise UsageError(f'--{way} is a number of images, 1 or more; got {count}')
    return way, count


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
