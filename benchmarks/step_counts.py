"""What a training step launches and waits for on a device, counted without one.

    python benchmarks/step_counts.py                # count; one JSON line a step
    python benchmarks/step_counts.py --update       # the table of docs/performance.md

The steps run on PyTorch's ``meta`` device: shapes without values. As on a GPU, a result there is one launch, and a value can
only be had by waiting for the device, which is counted with the package that asks. A tensor that the host fills and copies to
the device makes it wait, too, unless its memory is pinned. Numbers do not depend on image size. Where a step draws what it
does, they are means over seeds, with the range.

* ``labels only x 3``: three supervised steps over all the images, as if all were labelled;
* ``labels only x 6``: the same with labelled and unlabelled images in two passes. The batch statistics of simEps are those of
  each part, so its networks cannot launch less;
* a method: one step of it, from normalised images to the optimiser's update;
* ``NonFiniteHook``: what it adds to a step of simEps.

Operations: without views and memory that is handed out. A fused update of many tensors of one dtype (``torch._foreach_*``) is
one.
"""

import argparse
import json
import statistics
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import simeps_mmseg  # noqa: F401 - registers the components
from benchmarks.pages import ResultsTable
from benchmarks.protocols import SUPERVISED
from benchmarks.results import append
from benchmarks.steps import from_scratch, samples_of
from simeps_mmseg.engine.hooks import NonFiniteHook

METHODS = dict(
    simeps='simEps',
    simeps_plus='simEps-plus',
    cps='CPS (two networks)',
    uaps='UAPS',
    mean_teacher='Mean Teacher (one network)',
    fixmatch='FixMatch (one network)',
    unimatch='UniMatch (one network)',
)
BASES = {
    'labels only x 3': 'labels only x 3: each network over all 16 images at once',
    'labels only x 6': 'labels only x 6: each network over 8 labelled, then 8 more images',
}
PACKAGES = ('simeps_mmseg', 'mmseg', 'mmengine', 'mmcv', 'torchvision', 'torch')
NO_LAUNCH = ('aten.empty', 'aten.new_empty', 'aten.detach', 'aten.alias', 'aten.lift_fresh', 'aten._unsafe_view')
LABELED = UNLABELED = 8
SIZE = 64
SEEDS = 10


class StepCounter(TorchDispatchMode):
    """Counts launches on the meta device, copies to it, and requests for values from there, which it answers with 1.

    Attributes:
        launches: By operation.
        reads: By the package that asks.
        copies: Of tensors from the host that make it wait, by the package that copies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self._tensors_of_numbers = TensorsOfNumbers(self.copies)

    def __enter__(self) -> 'StepCounter':
        self._tensors_of_numbers.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._tensors_of_numbers.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = str(func)
        if name.startswith('aten._local_scalar_dense') and args[0].is_meta:
            self.reads[asking_package()] += 1
            return torch.ones((), dtype=args[0].dtype).item()
        if name.startswith(('aten.index.', 'aten.index_put')) and any(is_mask(index) for index in args[1]):
            self.reads[asking_package()] += 1  # how many places a mask has decides over the shape of the result
            args = (args[0], [one for index in args[1] for one in everywhere(index)], *args[2:])
        result = func(*args, **(kwargs or {}))
        copied = copies_to_device(name, args, kwargs or {}, result)
        if copied:
            self.copies[asking_package()] += copied
        on_device = any(isinstance(one, Tensor) and one.is_meta for one in flat([args, result]))
        if on_device and not func.is_view and not name.startswith(NO_LAUNCH):
            self.launches[name] += launches_of(name, args)
        return result


class TensorsOfNumbers(TorchFunctionMode):
    """Counts ``torch.tensor([...], device=...)``, which fills memory of the host first and of which operators see nothing."""

    def __init__(self, copies: Counter[str]) -> None:
        super().__init__()
        self.copies = copies

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor) and result.is_meta and not isinstance(args[0], Tensor):
            self.copies[asking_package()] += 1
        return result


def copies_to_device(name: str, args: tuple, kwargs: dict, result: Any) -> int:
    """How many tensors of the host an operation copies to the device while the host waits."""
    if name.startswith(('aten.index.', 'aten.index_put')):
        return sum(on_host(index) for index in args[1]) if args[0].is_meta else 0
    if name.startswith('aten._to_copy'):
        source = args[0]
        return int(on_host(source) and result.is_meta and not (kwargs.get('non_blocking') and source.is_pinned()))
    if name.startswith('aten.copy_'):
        target, source, *non_blocking = args
        is_free = any(non_blocking) or kwargs.get('non_blocking')
        return int(target.is_meta and on_host(source) and not (is_free and source.is_pinned()))
    return 0


def on_host(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type == 'cpu'


def launches_of(name: str, args: tuple) -> int:
    """One; for each tensor one where a fused update has tensors of several dtypes."""
    tensors = [one for one in args[0] if isinstance(one, Tensor)] if name.startswith('aten._foreach') else []
    return len(tensors) if len({one.dtype for one in tensors}) > 1 else 1


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
    """Passes images on as they are, in place of a preprocessor."""

    def forward(self, data: dict, training: bool) -> dict:
        return data


def model_of(method: str) -> nn.Module:
    """The model of ``configs/<method>/unet_neu_10pct.py`` on the meta device."""
    model = MODELS.build(from_scratch(Config.fromfile(ROOT / f'configs/{method}/unet_neu_10pct.py'))).to('meta').train()
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


def step_of(method: str) -> tuple[nn.Module, OptimWrapper, Callable[[], object]]:
    """A method's model, its optimiser, and a function that trains one step."""
    model = model_of(method)
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), foreach=True))
    return model, wrapper, lambda: model.train_step(batch(LABELED, UNLABELED), wrapper)


def base_step(name: str) -> Callable[[], None]:
    """A step beside which others stand: one of :data:`BASES`."""
    models = [model_of(SUPERVISED) for _ in range(3)]
    optimizer = torch.optim.Adam([p for model in models for p in model.parameters()], foreach=True)
    parts = [LABELED + UNLABELED] if name.endswith('3') else [LABELED, UNLABELED]

    def step() -> None:
        for model in models:
            for images in parts:
                model.parse_losses(model(**batch(images, 0), mode='loss'))[0].backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def counts(step: Callable[[], object], seeds: int) -> list[StepCounter]:
    """What a step launches and asks for under each seed, after a first one, which sets up the optimiser."""
    with StepCounter():
        step()
    counters = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        with StepCounter() as counter:
            step()
        counters.append(counter)
    return counters


def count(method: str, seeds: int = 1) -> list[StepCounter]:
    """:func:`counts` of a method, or of one of :data:`BASES`."""
    init_default_scope('mmseg')
    if method in BASES:
        return counts(base_step(method), 1)
    model, _, step = step_of(method)
    draws = getattr(model, 'views', None) is not None  # all else in a step launches the same, whatever is drawn
    return counts(step, seeds if draws else 1)


def count_hook(method: str = 'simeps') -> StepCounter:
    """What :class:`NonFiniteHook` adds to a step of a method."""
    init_default_scope('mmseg')
    model, wrapper, step = step_of(method)
    with StepCounter():
        step()
    hook = NonFiniteHook()
    runner = SimpleNamespace(model=model, optim_wrapper=wrapper, iter=0, message_hub=MessageHub('step_counts'))

    def with_hook() -> None:
        hook.before_train_iter(runner, 0, {})
        step()
        hook.after_train_iter(runner, 0)

    (without,) = counts(step, 1)
    hook.before_train(runner)
    with patch('torch.nn.utils.clip_grad._has_foreach_support', return_value=True):  # as on a GPU
        (found,) = counts(with_hook, 1)
    hook.after_train(runner)
    for own, other in (
        (found.launches, without.launches),
        (found.reads, without.reads),
        (found.copies, without.copies),
    ):
        own.subtract(other)
    return found


def line_of(name: str, counters: Sequence[StepCounter], beside: dict[str, float]) -> dict:
    """The line of a step: means over seeds, the range of its launches, and their ratio to those of other steps."""
    launches = [counter.launches.total() for counter in counters]
    mean = statistics.mean(launches)
    return dict(
        step=name,
        torch=torch.__version__,
        seeds=len(counters),
        launches=round(mean),
        range=[min(launches), max(launches)],
        ratios={base: round(mean / other, 2) for base, other in beside.items()},
        reads=round(statistics.mean(counter.reads.total() for counter in counters), 1),
        copies=round(statistics.mean(counter.copies.total() for counter in counters), 1),
    )


def lines(seeds: int) -> Iterator[dict]:
    """The lines of all steps and, last, of the hook."""
    beside: dict[str, float] = {}
    for name in (*BASES, *METHODS):
        counters = count(name, seeds)
        if name in BASES:
            beside[name] = counters[0].launches.total()
        yield line_of(name, counters, beside)
    yield line_of('NonFiniteHook', [count_hook()], {})


def markdown(found: Sequence[dict]) -> str:
    """One row per step, of its last line."""
    newest = {line['step']: line for line in found}
    base, passes = (newest[name]['launches'] for name in BASES)
    names = {**BASES, **METHODS, 'NonFiniteHook': 'what `NonFiniteHook` adds to simEps'}
    rows = [
        '| step | operations | beside three labels-only steps | beside the same passes | values asked for | copies to the '
        'device that wait |',
        '|---|---|---|---|---|---|',
    ]
    for line in newest.values():
        low, high = line['range']
        launches = f'{line["launches"]:,}' + ('' if low == high else f' ({low:,} to {high:,})')
        ratios = ' | '.join(f'{line["launches"] / other:.2f}' for other in (base, passes))
        rows.append(f'| {names[line["step"]]} | {launches} | {ratios} | {line["reads"]:g} | {line["copies"]:g} |')
    return '\n'.join(rows) + '\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=SEEDS)
    args = TABLE.parse(parser)
    for line in lines(args.seeds):
        append(args.results, line)
        print(json.dumps(line), flush=True)


TABLE = ResultsTable('step_counts', 'performance.md', markdown)

if __name__ == '__main__':
    main()
