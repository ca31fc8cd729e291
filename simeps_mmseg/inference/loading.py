"""A trained model, from its config and its checkpoint."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmseg.models import BaseSegmentor
from mmseg.registry import MODELS
from torch import Tensor

from ..models.segmentors import BaseSemiSegmentor
from ..models.utils import replace_sync_bn
from ..models.utils.pretrained import remove_pretrained
from ..utils import UserError
from ..utils.config_errors import config_keys_named
from ..utils.weights import differing_weights


def load_model(cfg: Config, checkpoint: Mapping, device: str | None = None) -> BaseSegmentor:
    """Build the model of a config, plain or semi-supervised, with the weights of a checkpoint, ready to predict.

    Unlike MMSeg's ``init_model`` it downloads no pretrained weights and accepts no weights that do not fit.

    Args:
        cfg: The whole config; not changed.
        checkpoint: From :func:`simeps_mmseg.deploy.read_checkpoint`.
        device: Where the model goes; see :func:`chosen_device`.

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
    device = chosen_device(device)
    try:
        model.to(device)
    except (AssertionError, RuntimeError) as error:  # what PyTorch raises for a device that is not there
        raise UserError(f'--device {device}: {str(error).splitlines()[0]}') from error
    return model.eval()


def chosen_device(device: str | None) -> str:
    """The device that was asked for; without one that which mmengine trains on: the GPU where there is one, else the CPU."""
    return device or get_device()


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
