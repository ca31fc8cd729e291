"""One training step on one fixed batch: what scripts time, count and compare."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

import simeps_mmseg  # noqa: F401 - registers the components
from benchmarks.protocols import SUPERVISED
from simeps_mmseg.engine.optimizers import BFloat16OptimWrapper
from simeps_mmseg.models.utils import replace_sync_bn
from simeps_mmseg.models.utils.pretrained import remove_pretrained

ROOT = Path(__file__).resolve().parents[1]
PRECISIONS = ('bfloat16', 'float32')


@dataclass(frozen=True)
class Case:
    """What is trained, and how.

    Attributes:
        network: First part of a config's file name.
        size: Height and width of the images.
        batch: Labelled images; as many unlabelled ones. Labels only has all of them labelled.
        method: Folder below configs/.
        precision: float32, or bfloat16 autocast.
        compiled: Whether backbones are compiled.
    """

    network: str
    size: int
    batch: int
    method: str
    precision: str
    compiled: bool = False


def model_config(method: str, network: str) -> ConfigDict:
    """The model of a method around a network, also where no config has this pair; without pretrained weights and SyncBN."""
    branch = Config.fromfile(ROOT / f'configs/{SUPERVISED}/{network}_neu_10pct.py').model
    model = branch
    if method != SUPERVISED:
        model = Config.fromfile(ROOT / f'configs/{method}/unet_neu_10pct.py').model
        model.branch = branch
    return from_scratch(Config(dict(model=model)))


def from_scratch(cfg: Config) -> ConfigDict:
    """The model of a config, which loses pretrained weights and SyncBN, in place."""
    remove_pretrained(cfg)
    replace_sync_bn(cfg.model)
    return cfg.model


def make_step(case: Case, device: str) -> tuple[nn.Module, Callable[[], dict[str, Tensor]]]:
    """The model of a case, and a function that trains one step of it on one fixed batch and returns the losses."""
    images = 2 * case.batch
    labeled = images if case.method == SUPERVISED else case.batch
    cfg = model_config(case.method, case.network)
    return make_step_of(cfg, (case.size, case.size), images, labeled, case.precision, device)


def make_step_of(
    model_cfg: ConfigDict,
    size: tuple[int, int],
    images: int,
    labeled: int,
    precision: str,
    device: str,
    classes: int = 4,
) -> tuple[nn.Module, Callable[[], dict[str, Tensor]]]:
    """The same of any model.

    Args:
        model_cfg: Without pretrained weights and SyncBN.
        size: Height and width of the images, which are noise.
        images: Of the batch.
        labeled: How many of them carry labels: the first.
        precision: One of :data:`PRECISIONS`.
        device: ``cpu`` or ``cuda``.
        classes: Of the labels, at most those of the model.
    """
    torch.manual_seed(0)
    model = MODELS.build(model_cfg).to(device, memory_format=torch.channels_last).train()
    if hasattr(model, 'set_rampup'):
        model.set_rampup(0.5)
    inputs = list(torch.randint(0, 256, (images, 3, *size), dtype=torch.uint8))
    samples = samples_of(torch.randint(0, classes, (images, *size)), labeled)
    wrapper = optimizer_of(model, precision, device)
    return model, lambda: model.train_step(dict(inputs=inputs, data_samples=samples), wrapper)


def optimizer_of(model: nn.Module, precision: str, device: str) -> OptimWrapper:
    """Adam, as a training in that precision has it."""
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    if precision == 'float32':
        return OptimWrapper(adam)
    if device == 'cpu':
        return BFloat16OptimWrapper(optimizer=adam)
    return AmpOptimWrapper(optimizer=adam, dtype='bfloat16', loss_scale=1.0)


def samples_of(labels: torch.Tensor, labeled: int) -> list[SegDataSample]:
    """Data samples of which the first ``labeled`` carry their labels."""
    size = tuple(labels.shape[1:])
    samples = [SegDataSample(metainfo=dict(img_shape=size, ori_shape=size)) for _ in labels]
    for sample, label in list(zip(samples, labels))[:labeled]:
        sample.gt_sem_seg = PixelData(data=label[None])
    return samples
