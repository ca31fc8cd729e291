"""What a model says of one image: label map, confidence, disagreement of its networks."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from mmseg.models import BaseSegmentor
from mmseg.structures import SegDataSample

from ..models.segmentors import BaseSemiSegmentor
from ..models.utils import class_logits, is_query_head, mean_logits
from ..utils.images import IMAGE_ERRORS, UnreadableImage
from .preparation import preprocessed


@dataclass
class Prediction:
    """What a model says of one image, at the size of the file.

    Attributes:
        labels: Class indices, shape (h, w), uint8.
        confidence: Mean over the pixels of the probability of the predicted class.
        disagreement: Share of the pixels where the networks do not all predict the same; None for a single network.
    """

    labels: np.ndarray
    confidence: float
    disagreement: float | None


def predict_image(model: BaseSegmentor, data: Mapping) -> Prediction:
    """Segment one image.

    Args:
        model: From :func:`load_model`.
        data: ``inputs`` and ``data_samples`` of :class:`Preparation`.

    Raises:
        UnreadableImage: If the network cannot segment it, such as for its size.
    """
    with refusals_named():
        return _predict_image(model, data)


@contextmanager
def refusals_named() -> Iterator[None]:
    """Turn what a network raises of an image that it does not take into ``UnreadableImage``."""
    try:
        yield
    except IMAGE_ERRORS as error:
        raise UnreadableImage(f'the network refuses it: {str(error) or type(error).__name__}') from error


@torch.no_grad()
def _predict_image(model: BaseSegmentor, data: Mapping) -> Prediction:
    inputs, samples = preprocessed(model, [data])
    networks = model.answering_networks() if isinstance(model, BaseSemiSegmentor) else [model]
    if len(networks) == 1:
        result = networks[0].predict(inputs, samples)[0]
        return Prediction(_labels(result), _confidence(result, networks), None)
    metas = [samples[0].metainfo]
    logits = [network.inference(inputs, [dict(meta) for meta in metas]) for network in networks]
    own = [_labels(model.postprocess_result(one, copy.deepcopy(samples))[0]) for one in logits]
    result = model.postprocess_result(mean_logits(networks, logits), samples)[0]
    differ = np.any([labels != own[0] for labels in own[1:]], axis=0)
    return Prediction(_labels(result), _confidence(result, networks), float(differ.mean()))


def _labels(result: SegDataSample) -> np.ndarray:
    return result.pred_sem_seg.data[0].to(torch.uint8).cpu().numpy()


def _confidence(result: SegDataSample, networks: Sequence[BaseSegmentor]) -> float:
    scores = result.seg_logits.data
    if len(scores) == 1:  # already a sigmoid
        chosen = result.pred_sem_seg.data.bool()
        return float(torch.where(chosen, scores, 1 - scores).mean())
    if all(hasattr(network, 'decode_head') and is_query_head(network) for network in networks):
        scores = class_logits(networks[0], scores[None])[0]
    return float(scores.softmax(dim=0).max(dim=0).values.mean())
