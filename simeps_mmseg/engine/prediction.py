"""Predicts with a model that is being trained, and leaves it as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmseg.models import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor

from ..datasets.unlabeled_pipeline import loads_labels
from ..models.segmentors import BaseSemiSegmentor
from ..models.utils import without_padding
from ..utils.undisturbed_random_numbers import undisturbed_random_numbers


def opens_masks(transform: object) -> bool:
    """Whether a transform, built, opens the ground truth."""
    return loads_labels(type(transform).__name__)


def predict(model: BaseSegmentor, data: dict, with_pseudo_labels: bool = False) -> SegDataSample:
    """What a model says of one sample, in evaluation mode; the model is left as it was.

    Args:
        model: Any segmentor.
        data: What a test pipeline returns.
        with_pseudo_labels: Whether to add what its branches would be taught.

    Returns:
        A new sample with ``pred_sem_seg``, ``gt_sem_seg`` where ``data`` has it and, of a semi-supervised model,
        ``pred_sem_seg_branches`` and ``pseudo_sem_seg`` (K, h, w), all at the image's own size.
    """
    semi = isinstance(model, BaseSemiSegmentor)
    batch = pseudo_collate([dict(inputs=data['inputs'], data_samples=data['data_samples'].clone())])
    with unchanged(model), torch.no_grad():
        model.eval()
        ready = model.data_preprocessor(batch, False)
        inputs, samples = ready['inputs'], ready['data_samples']
        pseudo_labels = model.pseudo_labels_for(inputs, samples) if semi and with_pseudo_labels else []
        sample = (model.predict_with_branches if semi else model.predict)(inputs, samples)[0]
    if pseudo_labels:
        maps = [to_original(labels[0], sample) for labels in pseudo_labels]
        sample.set_data({'pseudo_sem_seg': PixelData(data=torch.stack(maps))})
    return sample.cpu()


def to_original(labels: Tensor, sample: SegDataSample) -> Tensor:
    """A label map (h, w) of the network's input at the size of the file: padding cut off, nearest neighbour."""
    real = without_padding(labels, sample.metainfo)
    return F.interpolate(real[None, None].float(), size=sample.ori_shape[:2], mode='nearest')[0, 0].long()


@contextmanager
def unchanged(model: BaseSegmentor) -> Iterator[None]:
    """Put modes, running averages and random numbers back to what they were."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        with undisturbed_random_numbers():
            yield
    finally:
        for module, training in modes:
            module.training = training
        for buffer, value in buffers:
            buffer.copy_(value)
