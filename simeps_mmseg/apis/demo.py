"""The main job on generated data: labels alone, then unlabelled images from there; a table, a picture and a report."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.config import Config
from prettytable import PrettyTable

from ..inference.comparison import compared_image
from ..inference.evaluation_images import EvaluationImages
from ..inference.trained_model import TrainedModel
from ..visualization import class_colors, comparison_figure
from .prepare_data import prepare_data
from .report import report
from .test import test
from .train import train

LABELS_ONLY, SEMI = 'labels only', 'simEps-plus'
CONFIGS = {LABELS_ONLY: 'supervised/unet_synthetic_2pct.py', SEMI: 'simeps_plus/unet_synthetic_2pct.py'}
PERCENT = 2
SCORES = ('mIoU_image', 'mIoU_fg', 'mIoU')
ROWS = 5


class Trained(NamedTuple):
    """A network, or several, of the demo.

    Attributes:
        cfg: Its config, as it was trained.
        checkpoint: Its best weights on validation.
        scores: Of these on the test set, as ``DefectIoUMetric`` has them, in per cent.
    """

    cfg: Config
    checkpoint: Path
    scores: dict[str, float]


def run_demo(folder: str | Path = 'demo', iters: int | None = None, seed: int = 0) -> Path:
    """Prepare the synthetic set, train a network on its labels, then three from there with the unlabelled images; compare.

    Args:
        folder: Where data, checkpoints, the picture and the report go.
        iters: Steps of each of the two trainings. None: those in its config.
        seed: Seed of initialisation and of the order of the images.

    Returns:
        The picture; the report lies in ``simeps_plus/report.html``.
    """
    folder = Path(folder)
    print('--- 1 of 5: generate surfaces with defects', flush=True)
    data = prepare_data('synthetic', data_root=folder / 'data', fractions=[PERCENT])
    trained: dict[str, Trained] = {}
    print(f'--- 2 of 5: train and test: {LABELS_ONLY}', flush=True)
    trained[LABELS_ONLY] = train_best(LABELS_ONLY, folder, data, iters, seed)
    print(f'--- 3 of 5: train and test: {SEMI}, from there, with the unlabelled images', flush=True)
    trained[SEMI] = train_best(SEMI, folder, data, iters, seed, start=trained[LABELS_ONLY].checkpoint)
    print('--- 4 of 5: compare', flush=True)
    print(score_table({name: one.scores for name, one in trained.items()}))
    picture = folder / 'comparison.png'
    draw_comparison(trained, picture)
    print(f'picture: {picture}')
    print(f'--- 5 of 5: report on {SEMI}', flush=True)
    report(folder / Path(CONFIGS[SEMI]).parent.name)
    return picture


def train_best(
    name: str,
    folder: Path,
    data: Path,
    iters: int | None = None,
    seed: int = 0,
    start: Path | None = None,
    options: Sequence[str] = (),
) -> Trained:
    """Train a config of the demo and test the weights that are best on validation.

    Args:
        name: A key of ``CONFIGS``.
        folder: Of the demo.
        data: The prepared synthetic set.
        iters: Training steps in place of those in the config.
        seed: Seed of initialisation and of the order of the images.
        start: Checkpoint that every branch starts from.
        options: Further changes of the config.
    """
    config = CONFIGS[name]
    work_dir = folder / Path(config).parent.name
    schedule = schedule_options(iters) if iters else []
    options = [*data_options(config, data), f'randomness.seed={seed}', *schedule, *options]
    runner = train(config, work_dir=str(work_dir), options=[*options, *([f'load_from={start}'] if start else [])])
    best = Path(runner.message_hub.get_info('best_ckpt'))
    scores = test(config, str(best), work_dir=str(work_dir), options=options)
    return Trained(runner.cfg, best, scores)


def data_options(config: str, data: Path) -> list[str]:
    """Changes that let a config find its data in another folder."""
    labeled = 'data_root' if config.startswith('supervised') else 'labeled.data_root'
    keys = [
        f'train_dataloader.dataset.{labeled}',
        *(f'{part}_dataloader.dataset.data_root' for part in ('val', 'test')),
    ]
    return [f'{key}={data}' for key in keys]


def schedule_options(iters: int) -> list[str]:
    """Changes that shorten or lengthen a schedule."""
    return [
        f'train_cfg.max_iters={iters}',
        f'train_cfg.val_interval={iters}',
        f'param_scheduler.0.end={iters}',
        f'default_hooks.logger.interval={max(1, min(50, iters // 10))}',
    ]


def score_table(scores: dict[str, dict[str, float]]) -> PrettyTable:
    """One row per method, and one per branch where there are any."""
    table = PrettyTable(['test set, %', *SCORES])
    table.align['test set, %'] = 'l'
    for name, values in scores.items():
        table.add_row([name, *(values[key] for key in SCORES)])
        for k in range(3):
            if f'branch_{k}.mIoU' in values:
                table.add_row([f'  branch {k} alone', *(values[f'branch_{k}.{key}'] for key in SCORES)])
    return table


def draw_comparison(models: dict[str, Trained], picture: Path) -> None:
    """Write the picture: the first test images that show at least two kinds of defects.

    Args:
        models: By name; all test on the same images.
        picture: The file.
    """
    images = EvaluationImages(next(iter(models.values())).cfg)
    trained = {name: TrainedModel(one.cfg, one.checkpoint) for name, one in models.items()}
    of_two_kinds = (index for index in range(len(images)) if len(np.unique(images.target(index))) > 2)
    rows = [compared_image(images, trained, index) for index in islice(of_two_kinds, ROWS)]
    comparison_figure(rows, images.classes, images.palette or class_colors(len(images.classes))).savefig(
        picture, dpi=150
    )
