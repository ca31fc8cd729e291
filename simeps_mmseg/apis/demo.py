"""The main job on generated data: labels only against simEps, a table, a picture and a report."""

from itertools import islice
from pathlib import Path

import numpy as np
from mmengine.config import Config
from prettytable import PrettyTable

from ..visualization import comparison_figure
from .compare_predictions import compared_image
from .evaluation_images import EvaluationImages, TrainedModel
from .prepare_data import prepare_data
from .report import report
from .test import test
from .train import train

METHODS = {'labels only': 'supervised/unet_synthetic_5pct.py', 'simEps': 'simeps/unet_synthetic_5pct.py'}
SCORES = ('mIoU_image', 'mIoU_fg', 'mIoU')
ROWS = 5


def run_demo(folder: str | Path = 'demo', iters: int | None = None) -> Path:
    """Prepare the synthetic set, train both methods for the same number of steps, compare them on the test set.

    Args:
        folder: For data, checkpoints, the picture and the report.
        iters: Training steps in place of those in the config.

    Returns:
        The picture; the report lies in ``simeps/report.html``.
    """
    folder = Path(folder)
    print('--- 1 of 5: generate surfaces with defects', flush=True)
    data = prepare_data('synthetic', data_root=folder / 'data')
    scores, models = {}, {}
    for step, (name, config) in enumerate(METHODS.items(), 2):
        print(f'--- {step} of 5: train and test: {name}', flush=True)
        work_dir = folder / Path(config).parent.name
        options = [*data_options(config, data), *(schedule_options(iters) if iters else [])]
        runner = train(config, work_dir=str(work_dir), options=options)
        checkpoint = work_dir / f'iter_{runner.iter}.pth'
        scores[name] = test(config, str(checkpoint), work_dir=str(work_dir), options=options)
        models[name] = (runner.cfg, checkpoint)
    print('--- 4 of 5: compare', flush=True)
    print(score_table(scores))
    picture = folder / 'comparison.png'
    draw_comparison(models, picture)
    print(f'picture: {picture}')
    print('--- 5 of 5: report on simEps', flush=True)
    report(folder / 'simeps')
    return picture


def data_options(config: str, data: Path) -> list[str]:
    """Changes that let a config find its data in another folder."""
    semi = not config.startswith('supervised')
    train_keys = [f'datasets.{i}.data_root' for i in range(2)] if semi else ['data_root']
    keys = [f'train_dataloader.dataset.{key}' for key in train_keys]
    keys += [f'{loader}.dataset.data_root' for loader in ('val_dataloader', 'test_dataloader')]
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


def draw_comparison(models: dict[str, tuple[Config, Path]], picture: Path) -> None:
    """Write the picture: the first test images that show at least two kinds of defects.

    Args:
        models: Config and checkpoint by name; all test on the same images.
        picture: The file.
    """
    images = EvaluationImages(next(iter(models.values()))[0])
    trained = {name: TrainedModel(cfg, checkpoint) for name, (cfg, checkpoint) in models.items()}
    of_two_kinds = (index for index in range(len(images)) if len(np.unique(images.target(index))) > 2)
    rows = [compared_image(images, trained, index) for index in islice(of_two_kinds, ROWS)]
    comparison_figure(rows, images.classes, images.palette).savefig(picture, dpi=150)
