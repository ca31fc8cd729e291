"""A trained model and what leads from a file to its input."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.models import BaseSegmentor
from mmseg.registry import MODELS
from torch import Tensor

from ..datasets.unlabeled_pipeline import loads_labels
from ..deploy.stock_config import test_pipeline, type_name
from ..models.segmentors import BaseSemiSegmentor
from ..models.utils import class_logits, is_query_head, mean_logits, replace_sync_bn
from ..utils import UserError
from ..utils.images import IMAGE_ERRORS, UnreadableImage
from ..utils.weights import differing_weights
from .config import config_keys_named
from .pretrained import remove_pretrained


def load_model(cfg: Config, checkpoint: Mapping, device: str = 'cpu') -> BaseSegmentor:
    """Build the model of a config, plain or semi-supervised, with the weights of a checkpoint, ready to predict.

    Unlike MMSeg's ``init_model`` it downloads no pretrained weights and accepts no weights that do not fit.

    Args:
        cfg: The whole config; not changed.
        checkpoint: From :func:`simeps_mmseg.deploy.read_checkpoint`.
        device: Where the model goes.

    Returns:
        The model in evaluation mode, with ``dataset_meta`` (``classes`` and ``palette``).

    Raises:
        UserError: If weights are missing, left over, or of other shapes.
    """
    cfg = copy.deepcopy(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    remove_pretrained(cfg)
    replace_sync_bn(cfg.model)
    if cfg.get('data_preprocessor'):
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with config_keys_named(cfg):
        model = MODELS.build(cfg.model)
    load_weights(model, checkpoint['state_dict'])
    model.dataset_meta = dataset_meta(checkpoint, model.num_classes)
    try:
        model.to(device)
    except (AssertionError, RuntimeError) as error:  # what PyTorch raises for a device that is not there
        raise UserError(f'--device {device}: {str(error).splitlines()[0]}') from error
    return model.eval()


def load_weights(model: torch.nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fill a model with weights.

    Raises:
        UserError: If weights are missing, left over, or of other shapes.
    """
    check_weights(model, state)
    model.load_state_dict(state, strict=False)


def check_weights(model: torch.nn.Module, state: Mapping[str, Tensor]) -> None:
    """Raise ``UserError`` if weights are missing, left over, or of other shapes."""
    if found := differing_weights(model.state_dict(), state):
        raise UserError(f'the checkpoint is not of the model in the config; weights: {found}')


def dataset_meta(checkpoint: Mapping, num_classes: int) -> dict:
    """Names and colours (RGB) of the classes, as the checkpoint has them; numbers and seeded colours where it has none."""
    meta = checkpoint['meta'].get('dataset_meta') or {}
    classes = meta.get('classes') or checkpoint['meta'].get('CLASSES')
    palette = meta.get('palette') or checkpoint['meta'].get('PALETTE')
    if not classes:
        classes = [f'class_{index}' for index in range(num_classes)]
    if not palette:
        palette = np.random.default_rng(0).integers(0, 256, (len(classes), 3)).tolist()
        palette[0] = [0, 0, 0]
    return dict(classes=tuple(map(str, classes)), palette=[[int(value) for value in colour] for colour in palette])


def networks_of(model: BaseSegmentor) -> list[BaseSegmentor]:
    """The plain segmentors inside a model, one per branch: the moving averages where the model predicts with them."""
    return model.networks() if isinstance(model, BaseSemiSegmentor) else [model]


class Preparation:
    """The test pipeline of a config without what opens a mask: from a file, or an array, to an image and the model's input.

    Args:
        cfg: The whole config.
        split: ``'test'`` or ``'val'``: whose pipeline.

    Raises:
        UserError: If there is no such pipeline, or a step of it is not known.
    """

    def __init__(self, cfg: Config, split: str = 'test') -> None:
        init_default_scope(cfg.get('default_scope') or 'mmseg')
        steps = [step for step in test_pipeline(cfg, split) if not loads_labels(type_name(step['type']))]
        self._load_array = Compose([dict(type='LoadImageFromNDArray')])
        try:
            self._load_file = Compose(steps[:1])
            self._rest = Compose(steps[1:])
        except KeyError as error:
            raise UserError(f'{split}_dataloader.dataset.pipeline: {error}') from error

    def __call__(self, source: str | np.ndarray) -> tuple[np.ndarray, dict]:
        """Prepare one image.

        Args:
            source: Path, or an array (h, w, 3) as ``cv2`` has it: blue, green, red.

        Returns:
            The image as it was loaded, (h, w, c), and ``inputs`` (c, h', w') with ``data_samples``.

        Raises:
            UnreadableImage: If the image cannot be read, or a step does not take it, such as for its size.
        """
        try:
            if isinstance(source, np.ndarray):
                loaded = self._load_array(dict(img=source))
            else:
                loaded = self._load_file(dict(img_path=str(source)))
        except IMAGE_ERRORS as error:
            raise UnreadableImage(error) from error
        if loaded is None or loaded.get('img') is None:
            raise UnreadableImage('no image can be decoded')
        image = loaded['img'].copy()
        try:
            data = self._rest(loaded)
        except IMAGE_ERRORS as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise UnreadableImage(f'the test pipeline refuses it: {reason}') from error
        if data is None:
            raise UnreadableImage('the test pipeline drops it')
        return image, data


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


def preprocessed(model: BaseSegmentor, data: Sequence[Mapping]) -> tuple[Tensor, list]:
    """Normalised images (b, c, h, w) of one size, on the model's device, and their samples."""
    batch = dict(
        inputs=[one['inputs'] for one in data], data_samples=[copy.deepcopy(one['data_samples']) for one in data]
    )
    batch = model.data_preprocessor(batch, False)
    return batch['inputs'], batch['data_samples']


def _labels(result) -> np.ndarray:
    return result.pred_sem_seg.data[0].to(torch.uint8).cpu().numpy()


def _confidence(result, networks: Sequence[BaseSegmentor]) -> float:
    scores = result.seg_logits.data
    if len(scores) == 1:  # already a sigmoid
        chosen = result.pred_sem_seg.data.bool()
        return float(torch.where(chosen, scores, 1 - scores).mean())
    if all(hasattr(network, 'decode_head') and is_query_head(network) for network in networks):
        scores = class_logits(networks[0], scores[None])[0]
    return float(scores.softmax(dim=0).max(dim=0).values.mean())
