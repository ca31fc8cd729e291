"""What a training step launches and waits for on a device, counted without one.

    python benchmarks/step_counts.py

The steps run on PyTorch's ``meta`` device: shapes without values. As on a GPU, a result there is one launch, and a value can
only be had by waiting for the device, which is counted with the package that asks. Numbers do not depend on image size.

* ``labels only x 3``: three supervised steps over all the images, as if all were labelled;
* ``labels only x 6``: the same with labelled and unlabelled images in two passes. The batch statistics of simEps are those of
  each part, so its networks cannot launch less;
* a method: one step of it, from normalised images to the optimiser's update.

Operations: without views and memory that is handed out. A fused update of many tensors (``torch._foreach_*``) is one.
"""

import json
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import simeps_mmseg  # noqa: F401 - registers the components
from benchmarks.protocols import SUPERVISED
from benchmarks.steps import samples_of
from simeps_mmseg.models.utils import replace_sync_bn
from simeps_mmseg.models.utils.pretrained import remove_pretrained

METHODS = ('simeps', 'simeps_plus', 'cps', 'uaps', 'mean_teacher', 'fixmatch', 'unimatch')
PACKAGES = ('simeps_mmseg', 'mmseg', 'mmengine', 'mmcv', 'torchvision', 'torch')
NO_LAUNCH = ('aten.empty', 'aten.new_empty', 'aten.detach', 'aten.alias', 'aten.lift_fresh', 'aten._unsafe_view')
LABELED = UNLABELED = 8
SIZE = 64


class StepCounter(TorchDispatchMode):
    """Counts launches on the meta device, and requests for values from there, which it answers with 1.

    Attributes:
        launches: By operation.
        reads: By the package that asks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = str(func)
        if name.startswith('aten._local_scalar_dense') and args[0].is_meta:
            self.reads[asking_package()] += 1
            return torch.ones((), dtype=args[0].dtype).item()
        if name.startswith(('aten.index.', 'aten.index_put')) and any(is_mask(index) for index in args[1]):
            self.reads[asking_package()] += 1  # how many places a mask has decides over the shape of the result
            args = (args[0], [one for index in args[1] for one in everywhere(index)], *args[2:])
        result = func(*args, **(kwargs or {}))
        on_device = any(isinstance(one, Tensor) and one.is_meta for one in flat([args, result]))
        if on_device and not func.is_view and not name.startswith(NO_LAUNCH):
            self.launches[name] += 1
        return result


def flat(value: Any) -> list:
    """What is in nested lists and tuples."""
    return [one for item in value for one in flat(item)] if isinstance(value, (list, tuple)) else [value]


def is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.is_meta and index.dtype is torch.bool


def everywhere(index: Any) -> list:
    """Indices on the meta device in place of a mask that is true everywhere; anything else as it is."""
    if not is_mask(index):
        return [index]
    return [torch.empty(index.numel(), dtype=torch.int64, device='meta') for _ in range(index.ndim)]


def asking_package() -> str:
    """Of :data:`PACKAGES`, the first whose code is under way, but for PyTorch itself."""
    for frame in reversed(traceback.extract_stack()[:-2]):
        parts = Path(frame.filename).parts
        for package in PACKAGES[:-1]:
            if package in parts:
                return package
    return PACKAGES[-1]


class Normalised(nn.Module):
    """In place of a preprocessor: the images are normalised already."""

    def forward(self, data: dict, training: bool) -> dict:
        return data


def model_of(method: str) -> nn.Module:
    """The model of ``configs/<method>/unet_neu_10pct.py`` on the meta device."""
    cfg = Config.fromfile(ROOT / f'configs/{method}/unet_neu_10pct.py')
    remove_pretrained(cfg)
    replace_sync_bn(cfg.model)
    model = MODELS.build(cfg.model).to('meta').train()
    model.data_preprocessor = Normalised()
    if method != SUPERVISED:
        model.set_rampup(0.5)
        views = getattr(model, 'views', None)
        if views is not None:
            views.skip_check()
        model.update_teachers()  # the first is a copy, all others are averages
    return model


def batch(labeled: int, unlabeled: int) -> dict:
    """Images and samples on the meta device."""
    count = labeled + unlabeled
    labels = torch.empty(count, SIZE, SIZE, dtype=torch.int64, device='meta')
    return dict(inputs=torch.empty(count, 3, SIZE, SIZE, device='meta'), data_samples=samples_of(labels, labeled))


def step_of(method: str) -> Callable[[], None]:
    """A training step of a method; ``labels only x 3`` and ``labels only x 6`` are the steps beside which they stand."""
    if not method.startswith('labels only'):
        model = model_of(method)
        wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), foreach=True))
        return lambda: model.train_step(batch(LABELED, UNLABELED), wrapper)
    models = [model_of(SUPERVISED) for _ in range(3)]
    optimizer = torch.optim.Adam([p for model in models for p in model.parameters()], foreach=True)
    parts = [LABELED + UNLABELED] if method.endswith('3') else [LABELED, UNLABELED]

    def step() -> None:
        for model in models:
            for images in parts:
                model.parse_losses(model(**batch(images, 0), mode='loss'))[0].backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def count(method: str) -> StepCounter:
    """What the second step of a method launches and asks for; the first sets up the optimiser."""
    init_default_scope('mmseg')
    step = step_of(method)
    with StepCounter():
        step()
    with StepCounter() as counter:
        step()
    return counter


def main() -> None:
    beside: dict[str, int] = {}
    for method in ('labels only x 3', 'labels only x 6', *METHODS):
        counter = count(method)
        launches = counter.launches.total()
        if method.startswith('labels only'):
            beside[method] = launches
        ratios = {f'to {name}': round(launches / other, 2) for name, other in beside.items()}
        print(json.dumps(dict(step=method, launches=launches, **ratios, reads=dict(counter.reads))))


if __name__ == '__main__':
    main()
