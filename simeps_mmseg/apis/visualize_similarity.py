"""Similarity maps of a batch as the branches see them, and how far apart they were during training."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from mmengine.config import Config
from mmseg.registry import HOOKS, MODELS

from ..inference.evaluation_images import EvaluationImages
from ..inference.similarity_maps import similarity_maps
from ..inference.trained_model import TrainedModel
from ..utils import UsageError, UserError, evenly_spaced
from ..utils.configs import load_config
from ..visualization.config_beside import config_beside
from ..visualization.files import save_figure
from ..visualization.similarity import distance_figure, logged_similarity, similarity_figure
from ..visualization.training_log import TrainingLog, read_training_log

NAME_THE_CONFIG = 'name that of the training, if you trust it, as CONFIG'


def visualize_similarity(
    config: str | None = None,
    checkpoint: str | None = None,
    out: str | Path | None = None,
    log: str | None = None,
    names: Sequence[str] | None = None,
    count: int = 8,
    split: Literal['test', 'val'] = 'val',
    dpi: int = 150,
    device: str | None = None,
    options: Sequence[str] = (),
) -> list[Path]:
    """Draw the similarity maps of one batch at encoder, decoder and logits, for each branch, and their differences.

    With ``log``, draw how far apart these maps were during a training, by the similarity losses that were logged. With a
    config (given, or found beside the log) these are divided by their weights.

    Args:
        config: Path of a config, also below the shipped ``configs/``. With ``log`` only where none lies beside the log.
        checkpoint: Path of the weights. Not with ``log``.
        out: Path of the figure without suffix. None: ``similarity``, with ``log`` ``similarity_log``.
        log: Work folder of a training, folder of a single start, or JSON file.
        names: File names of the images of the batch, in place of evenly spaced ones.
        count: Size of the batch.
        split: Set whose images are drawn.
        dpi: Pixels to the inch.
        device: Such as ``cpu`` or ``cuda:0``. None: the GPU where there is one, else the CPU.
        options: ``key=value`` changes of the config.

    Returns:
        The two files.

    Raises:
        UserError: If something is not there, or the batch has fewer than two images.
    """
    if log and checkpoint:
        raise UsageError('--log reads a log; it takes no checkpoint')
    if log:
        return visualize_similarity_log(log, out or 'similarity_log', config, dpi, options)
    if not config or not checkpoint:
        raise UsageError('give CONFIG and CHECKPOINT, or --log')
    if count < 2:
        raise UserError(f'--count must be 2 or more: a similarity map compares images; got {count}')
    cfg = load_config(config, options)
    images = EvaluationImages(cfg, split)
    indices = images.indices(names) if names else evenly_spaced(len(images), count)
    maps = similarity_maps(TrainedModel(cfg, checkpoint, device, split), [images.paths[index] for index in indices])
    return save_figure(similarity_figure(maps, [images.image(index) for index in indices]), out or 'similarity', dpi)


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
        config: Of the training. None: that which mmengine wrote beside the log.
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
    cfg = load_config(config, options) if config else config_beside(Path(log), NAME_THE_CONFIG)
    weight = similarity_weight(cfg, logged_ramp(history, cfg)) if cfg is not None else None
    unit = 'loss_similarity, weighted as logged'
    curves = {}
    if cfg is not None and weight is not None:
        referred = cfg.model.similarity.get('reference_batch')
        unit = 'mean squared difference of the maps,\nsummed over the pairs of branches'
        unit += f', {referred} images' if referred else ''
    for (part, stage), (steps, values) in logged.items():
        scale = np.array([weight(stage, int(step)) for step in steps]) if weight is not None else 1.0
        curves[f'{part}, {stage}'] = (steps, values / scale)  # NaN before the ramp: there is nothing to divide by
    print(
        'values: '
        + ('loss_similarity_* divided by its weights' if weight is not None else 'loss_similarity_* as logged')
    )
    return save_figure(distance_figure(curves, unit), out, dpi)


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
