"""Similarity maps of a batch as the branches of a trained model see them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from ..engine.prediction import unchanged
from ..models.losses import similarity_map
from ..models.losses.similarity_consistency import STAGES
from ..models.utils import forward_unlabeled
from ..utils import UserError
from .loading import networks_of
from .trained_model import TrainedModel


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
