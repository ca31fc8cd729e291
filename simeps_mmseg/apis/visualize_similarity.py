"""Similarity maps of a batch as the branches see them, and how far apart they were during training."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.registry import HOOKS, MODELS

from ..engine.prediction import unchanged
from ..models.losses import similarity_map
from ..models.losses.similarity_consistency import STAGES
from ..models.utils import forward_unlabeled
from ..utils import UserError, evenly_spaced
from ..visualization.similarity import distance_figure, logged_similarity, similarity_figure
from ..visualization.training_log import TrainingLog, log_files, read_training_log
from .compare_predictions import save_figure
from .config import load_config
from .evaluation_images import EvaluationImages, TrainedModel
from .model import networks_of


def visualize_similarity(
    config: str,
    checkpoint: str,
    out: str | Path = 'similarity',
    names: Sequence[str] | None = None,
    count: int = 8,
    split: str = 'val',
    dpi: int = 150,
    device: str = 'cpu',
    options: Sequence[str] = (),
) -> list[Path]:
    """Draw the similarity maps of one batch at encoder, decoder and logits, for each branch, and their differences.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        checkpoint: Path of the weights.
        out: Path of the figure without suffix.
        names: File names of the images of the batch, in place of evenly spaced ones.
        count: Size of the batch.
        split: ``'val'`` or ``'test'``.
        dpi: Pixels to the inch.
        device: Such as ``cpu`` or ``cuda:0``.
        options: ``key=value`` changes of the config.

    Returns:
        The two files.

    Raises:
        UserError: If something is not there, or the batch has fewer than two images.
    """
    if count < 2:
        raise UserError(f'--count must be 2 or more: a similarity map compares images; got {count}')
    cfg = load_config(config, options)
    images = EvaluationImages(cfg, split)
    indices = images.indices(names) if names else evenly_spaced(len(images), count)
    maps = similarity_maps(TrainedModel(cfg, checkpoint, device, split), [images.paths[index] for index in indices])
    return save_figure(similarity_figure(maps, [images.image(index) for index in indices]), out, dpi)


def similarity_maps(trained: TrainedModel, paths: Sequence[Path]) -> dict[str, list[np.ndarray]]:
    """The (b, b) map of each branch at each stage, with the branches in evaluation mode.

    Args:
        trained: A semi-supervised model, or a plain one as a single branch.
        paths: The b images, which the test pipeline must bring to one size.

    Raises:
        UserError: If there are fewer than two images, or they come out in different sizes.
    """
    if len(paths) < 2:
        raise UserError(f'a similarity map compares the images of a batch: 2 or more are needed, got {len(paths)}')
    model = trained.model
    samples = [trained.prepare(path) for path in paths]
    sizes = sorted({tuple(sample['inputs'].shape[1:]) for sample in samples})
    if len(sizes) > 1:
        raise UserError(
            f'the images of a similarity map need one size, the pipeline of the config gives {sizes}: choose images of one '
            'size by --names, or set a Resize with keep_ratio=False'
        )
    with unchanged(model), torch.no_grad():
        model.eval()
        ready = model.data_preprocessor(pseudo_collate(samples), False)
        metas = [sample.metainfo for sample in ready['data_samples']]
        outputs = [forward_unlabeled(branch, ready['inputs'], metas) for branch in networks_of(model)]
    return {stage: [similarity_map(output.stage(stage)).cpu().numpy() for output in outputs] for stage in STAGES}


def visualize_similarity_log(
    log: str,
    out: str | Path = 'similarity_log',
    config: str | None = None,
    dpi: int = 150,
    options: Sequence[str] = (),
) -> list[Path]:
    """Draw how far apart the similarity maps of the branches were during training.

    With a config (given, or found beside the log) the logged losses are divided by their weights, which leaves the sum of
    the mean squared differences of all pairs of branches; without one they are drawn as they were logged.

    Args:
        log: Work folder, folder of a single start, or JSON file.
        out: Path of the figure without suffix.
        config: Of the training; by default that which mmengine wrote beside the log.
        dpi: Pixels to the inch.
        options: ``key=value`` changes of the config.

    Returns:
        The two files.

    Raises:
        UserError: If the log is not there, or holds no similarity loss.
    """
    history = read_training_log(log)
    logged = logged_similarity(history)
    if not logged:
        raise UserError(f'{log} holds no loss_similarity_*: it is the log of a training without model.similarity')
    cfg = load_config(config, options) if config else config_beside(Path(log))
    weight = similarity_weight(cfg, logged_ramp(history, cfg)) if cfg is not None else None
    unit = 'loss_similarity, weighted as logged'
    curves = {}
    if weight is not None:
        referred = cfg.model.similarity.get('reference_batch')
        unit = 'sum over the pairs of branches of\nthe mean squared difference of their maps'
        unit += f' of {referred} images' if referred else ''
    for (part, stage), (steps, values) in logged.items():
        scale = np.array([weight(stage, int(step)) for step in steps]) if weight is not None else 1.0
        curves[f'{part}, {stage}'] = (steps, values / scale)  # NaN before the ramp: there is nothing to divide by
    print(
        'values: '
        + ('loss_similarity_* divided by its weights' if weight is not None else 'loss_similarity_* as logged')
    )
    return save_figure(distance_figure(curves, unit), out, dpi)


def config_beside(log: Path) -> Config | None:
    """The config that mmengine wrote for the newest start of a training: ``vis_data/config.py``; None if it is not there."""
    file = log_files(log)[-1].parent / 'config.py'
    return Config.fromfile(file) if file.is_file() else None


def logged_ramp(log: TrainingLog, cfg: Config) -> dict[int, float]:
    """The ramp by step, from the logged weight of the pseudo-labels, which it multiplies, too; empty if that tells nothing.

    When a ramp began and whether it was halved is known to the training alone.
    """
    config = cfg.model.get('cross_pseudo')
    loss = MODELS.build(config) if config else None
    if loss is None or not loss.ramp or not loss.loss_weight:
        return {}
    steps, values = log.series('consistency_weight')
    return {int(step): float(value) / loss.loss_weight for step, value in zip(steps, values)}


def similarity_weight(cfg: Config, ramps: Mapping[int, float] | None = None) -> Callable[[str, int], float] | None:
    """What the similarity loss of a stage was multiplied with in the n-th step; None if the config has no such loss.

    That is lambda times the weight of the stage times, with ``ramp=True``, the ramp of ``SemiSupervisedHook``; NaN where that
    is zero.

    Args:
        cfg: Of the training.
        ramps: The ramp by step, as far as it is known; else that of a training from nothing.
    """
    config = cfg.model.get('similarity')
    if not config:
        return None
    loss = MODELS.build(config)
    hooks = [HOOKS.build(hook) for hook in cfg.get('custom_hooks') or [] if hook.get('type') == 'SemiSupervisedHook']

    def weight(stage: str, step: int) -> float:
        ramp = 1.0
        if loss.ramp and ramps and step in ramps:
            ramp = ramps[step]
        elif loss.ramp and hooks:
            ramp = hooks[0].schedule.rampup(step - 1, cfg.train_cfg.max_iters)
        return loss.loss_weight * loss.stages[stage] * ramp or float('nan')

    return weight
