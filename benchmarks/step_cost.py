"""What one simEps step costs, as ratios within one run.

    python benchmarks/step_cost.py --size 256 --batch 16
    python benchmarks/step_cost.py --size 128 --batch 8

Compared over the same images and the same U-Net, forward, backward and optimiser step:

* ``labels only x 3``: three supervised steps over all the images, as if all were labelled;
* ``simEps``: one step of ``TriBranchSemiSegmentor``;
* ``naive``: the recipe in plain PyTorch as the released code has it: three Adams, every pair of branches compares its maps
  in both directions, each time from Gram matrices of its own (24 in all).

Times are medians over rounds in which each takes its turn; peak memory is that of a process that runs only the one (on the
CPU it is read from Linux).
"""

import argparse
import json
import multiprocessing as mp
import statistics
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

import simeps_mmseg  # noqa: F401 - registers the components
from simeps_mmseg.models.losses import soft_dice_loss

CONFIG = Path(__file__).resolve().parents[1] / 'configs/simeps/unet_neu_10pct.py'
VARIANTS = ('labels only x 3', 'simEps', 'naive')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=128, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=8, help='labelled images; as many unlabelled ones')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--rounds-only', action='store_true', help='leave the memory measurement out')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # First, while this process holds no model: at 256 x 256 the two together would need more than 24 GiB.
    peak = {} if args.rounds_only else {name: peak_memory(name, args) for name in VARIANTS}
    steps = {name: make_step(name, args) for name in VARIANTS}
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(args.rounds):
        for name, step in steps.items():
            times[name].append(seconds(step, args.device))
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = medians[VARIANTS[0]]
    result = dict(
        size=args.size,
        batch=f'{args.batch} + {args.batch}',
        device=torch.cuda.get_device_name() if args.device == 'cuda' else f'CPU, {torch.get_num_threads()} threads',
        rounds=args.rounds,
        seconds={name: round(value, 4) for name, value in medians.items()},
        ratio={name: round(value / base, 3) for name, value in medians.items()},
    )
    if peak:
        result['peak_mib'] = peak
    print(json.dumps(result))


def seconds(step: Callable[[], None], device: str) -> float:
    """Wall time of one step."""
    start = time.perf_counter()
    step()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_memory(name: str, args: argparse.Namespace) -> int:
    """MiB of a fresh process that runs two steps of one variant; on the CPU without what it takes at rest."""
    with mp.get_context('spawn').Pool(1) as pool:
        return pool.apply(_peak_memory, (name, args))


def _peak_memory(name: str, args: argparse.Namespace) -> int:
    at_rest = _high_water_mark()
    step = make_step(name, args)
    step()
    step()
    if args.device == 'cuda':
        return torch.cuda.max_memory_allocated() // 2**20
    return _high_water_mark() - at_rest


def _high_water_mark() -> int:
    """MiB that this process had resident at most. (``ru_maxrss`` would start at that of the parent.)"""
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) // 1024


def make_step(name: str, args: argparse.Namespace) -> Callable[[], None]:
    """A function that trains one step of a variant on one fixed batch."""
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model).to(args.device, memory_format=torch.channels_last).train()
    model.set_rampup(0.5)
    inputs = torch.randn(2 * args.batch, 3, args.size, args.size, device=args.device)
    labels = torch.randint(0, 4, (2 * args.batch, args.size, args.size), device=args.device)
    if name == 'simEps':
        samples = samples_of(labels, args.batch)
        return model_step(model, inputs, samples)
    if name == 'naive':
        return naive_step(list(model.branches), inputs, labels[: args.batch])
    samples = samples_of(labels, len(labels))
    branches = [model_step(branch, inputs, samples) for branch in model.branches]

    def three_steps() -> None:
        for step in branches:
            step()

    return three_steps


def samples_of(labels: torch.Tensor, labeled: int) -> list[SegDataSample]:
    """Data samples of which the first ``labeled`` carry their labels."""
    size = tuple(labels.shape[1:])
    samples = [SegDataSample(metainfo=dict(img_shape=size, ori_shape=size)) for _ in labels]
    for sample, label in list(zip(samples, labels))[:labeled]:
        sample.gt_sem_seg = PixelData(data=label[None])
    return samples


def model_step(model: torch.nn.Module, inputs: torch.Tensor, samples: list[SegDataSample]) -> Callable[[], None]:
    """One optimiser step of a model of mmengine."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        loss, _ = model.parse_losses(model(inputs, samples, mode='loss'))
        loss.backward()
        optimizer.step()

    return step


def naive_step(branches: list[torch.nn.Module], inputs: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """The recipe of the paper written down as it stands."""
    optimizers = [torch.optim.Adam(branch.parameters(), lr=1e-3) for branch in branches]
    parts = inputs[: len(labels)], inputs[len(labels) :]
    metas = [dict(img_shape=inputs.shape[2:])] * len(labels)

    def ce_dice(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 0.5 * F.cross_entropy(logits, target) + 0.5 * soft_dice_loss(logits, target)

    def similarity(features: torch.Tensor) -> torch.Tensor:
        flat = features.flatten(1)
        return F.normalize(flat @ flat.T)

    def step() -> None:
        outputs = [[branch.encode_decode(part, metas) for branch in branches] for part in parts]
        loss = sum(ce_dice(logits, labels) for logits in outputs[0])
        for logits in outputs:
            softmax = [branch.softmax(dim=1) for branch in logits]
            for k, branch in enumerate(logits):
                others = [softmax[i] for i in range(3) if i != k]
                loss = loss + 0.05 * ce_dice(branch, torch.maximum(*others).argmax(dim=1).detach())
            for a, b in combinations(logits, 2):
                loss = loss + 25 * F.mse_loss(similarity(a), similarity(b).detach())
                loss = loss + 25 * F.mse_loss(similarity(a).detach(), similarity(b))
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    return step


if __name__ == '__main__':
    main()
