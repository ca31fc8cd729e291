"""The main job on generated data: labels only against simEps, a table, a picture and a report."""

from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.apis import inference_model, init_model
from PIL import Image
from prettytable import PrettyTable

from ..datasets.splits import read_split
from ..evaluation import image_scores
from ..visualization import ComparedImage, comparison_figure
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
    draw_comparison(models, data, picture)
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
    return [f'train_cfg.max_iters={iters}', f'train_cfg.val_interval={iters}', f'param_scheduler.0.end={iters}']


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


def draw_comparison(models: dict[str, tuple[Config, Path]], data: Path, picture: Path) -> None:
    """Write the picture: the first test images that show at least two kinds of defects."""
    init_default_scope('mmseg')
    loaded = {name: init_model(cfg.copy(), str(file), device='cpu') for name, (cfg, file) in models.items()}
    meta = next(iter(loaded.values())).dataset_meta
    rows = []
    for name in read_split(data / 'splits/test.txt'):
        target = np.array(Image.open(data / f'annotations/{name}.png'))
        if len(np.unique(target)) < 3:
            continue
        image = np.array(Image.open(data / f'images/{name}.png'))
        file = str(data / f'images/{name}.png')
        predictions = {
            method: inference_model(model, file).pred_sem_seg.data[0].numpy() for method, model in loaded.items()
        }
        scored = {method: image_scores(p, target, len(meta['classes'])) for method, p in predictions.items()}
        captions = {method: f'mIoU {100 * score.miou:.0f} %' for method, score in scored.items()}
        rows.append(ComparedImage(image, target, predictions, captions))
        if len(rows) == ROWS:
            break
    picture.parent.mkdir(parents=True, exist_ok=True)
    comparison_figure(rows, meta['classes'], meta['palette']).savefig(picture, dpi=150)
