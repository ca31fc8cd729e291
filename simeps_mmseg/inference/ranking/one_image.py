"""What the networks say of one image, and how sure they are."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from mmseg.models import BaseSegmentor
from torch import Tensor
from torch.nn import functional as F

from ...evaluation import image_uncertainty
from ...evaluation.uncertainty import ImageUncertainty
from ...models.utils import class_logits, without_padding
from ...models.utils.activations import deepest_level, encoder_of
from ...utils.images import check_image_is_whole
from ..loading import networks_of
from ..prediction import refusals_named
from ..preparation import Preparation, preprocessed

# The mean over the whole image cannot tell repeated images from images of the same material: on NEU-Seg both have a cosine
# of 0.9999. With cells, repeated ones stay at 1.000 and the others fall below 0.999.
GRID = 4


@torch.no_grad()
def probabilities_and_features(model: BaseSegmentor, data: dict) -> tuple[Tensor, np.ndarray]:
    """What each network says of one image, at the size of the network's input.

    Args:
        model: With K networks.
        data: ``inputs`` and ``data_samples`` of :class:`Preparation`.

    Returns:
        Probabilities (K, C, h, w), and features (d,): each network's deepest encoder map averaged over the cells of a grid,
        made unit length, one behind the other.
    """
    inputs, samples = preprocessed(model, [data])
    logits, features = [], []
    for network in networks_of(model):
        maps: list[Tensor] = []
        with ExitStack() as stack:
            handle = encoder_of(network).register_forward_hook(
                lambda _, __, found, maps=maps: maps.append(deepest_level(found))
            )
            stack.callback(handle.remove)
            logits.append(class_logits(network, network.inference(inputs, [dict(samples[0].metainfo)])))
        pooled = torch.stack([F.adaptive_avg_pool2d(one.float(), GRID) for one in maps]).mean(dim=0)  # several: slides
        features.append(F.normalize(pooled.flatten(), dim=0))
    probabilities = torch.cat(logits).float().softmax(dim=1)
    return without_padding(probabilities, samples[0].metainfo), torch.cat(features).cpu().numpy()


def assess(model: BaseSegmentor, prepare: Preparation, file: Path) -> tuple[ImageUncertainty, np.ndarray]:
    """Uncertainty and features of one file.

    Raises:
        UnreadableImage: If it cannot be decoded, or the network refuses it.
    """
    check_image_is_whole(file)
    _, data = prepare(str(file))
    with refusals_named():
        probabilities, features = probabilities_and_features(model, data)
    return image_uncertainty(probabilities), features
