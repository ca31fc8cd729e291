"""Whether training on this device gives the losses that it gives on the CPU.

    python benchmarks/gpu_losses.py --results lines.jsonl
    python benchmarks/gpu_losses.py --update                       # the table of docs/performance.md

The same U-Net, weights and images for 20 steps of each method, in float32 without TF32. What is drawn on the device itself
(dropout, noise in views) is left out, and the optimiser is SGD: Adam divides by small gradients, which turns rounding into
steps of full length. One JSON line a method with both courses, their largest relative difference, and whether that is within
the tolerance.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from benchmarks import results
from benchmarks.measuring import device_name, found_device
from benchmarks.pages import ResultsTable
from benchmarks.protocols import GPU_METHODS, SUPERVISED
from benchmarks.steps import model_config, samples_of
from simeps_mmseg.utils.config_tree import walk_dicts

STEPS = 20
TOLERANCE = 1e-3  # relative: of sums in another order, over 20 steps
LEARNING_RATE = 1e-4  # larger ones amplify rounding within a few steps: pseudo-labels at a boundary flip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=64, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=4, help='labelled images; as many unlabelled ones')
    parser.add_argument('--steps', type=int, default=STEPS)
    args = TABLE.parse(parser)
    init_default_scope('mmseg')
    torch.backends.cudnn.allow_tf32 = False
    device = found_device()
    equal = True
    for method in GPU_METHODS:
        # Without a GPU the other course is of another memory layout, whose sums are in another order, too.
        expected = losses_of(method, 'cpu', args.size, args.batch, args.steps, torch.contiguous_format)
        found = losses_of(method, device, args.size, args.batch, args.steps, torch.channels_last)
        difference = largest_difference(expected, found)
        equal = equal and difference <= TOLERANCE
        line = dict(
            what='losses',
            method=method,
            device=device_name(device),
            size=args.size,
            batch=args.batch,
            steps=args.steps,
            largest_relative_difference=difference,
            tolerance=TOLERANCE,
            equal=difference <= TOLERANCE,
            cpu=expected,
            found=found,
        )
        results.append(args.results, line)
        print(json.dumps({key: value for key, value in line.items() if key not in ('cpu', 'found')}), flush=True)
    return 0 if equal else 1


def losses_of(
    method: str, device: str, size: int, batch: int, steps: int, memory_format: torch.memory_format
) -> list[float]:
    """The total loss of each step."""
    torch.manual_seed(0)
    model = MODELS.build(without_draws(model_config(method, 'unet')))
    model = model.to(device, memory_format=memory_format).train()
    if method != SUPERVISED:
        model.set_rampup(0.5)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9))
    count = 2 * batch
    losses = []
    for step in range(steps):
        draw = torch.Generator().manual_seed(step)
        inputs = list(torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=draw))
        labels = torch.stack([image[0] // 64 for image in inputs]).long()
        samples = samples_of(labels, count if method == SUPERVISED else batch)
        logged = model.train_step(dict(inputs=inputs, data_samples=samples), wrapper)
        losses.append(float(logged['loss'].detach()))
    return losses


def without_draws(model: dict) -> dict:
    """A model's config without what is drawn anew in each step, in place."""
    for _, node in walk_dicts(model):
        if 'dropout_ratio' in node:
            node['dropout_ratio'] = 0.0
    for key in ('view', 'cut_mix'):
        model.pop(key, None)
    return model


def largest_difference(expected: Sequence[float], found: Sequence[float]) -> float:
    """The largest relative difference of two courses.

    Example:
        >>> largest_difference([1.0, 2.0], [1.0, 2.5])
        0.25
    """
    return max(abs(a - b) / abs(a) if a == a and b == b else float('inf') for a, b in zip(expected, found, strict=True))


def markdown(lines: Sequence[dict]) -> str:
    """A row for each method and case, of its last line: the largest difference within the course."""
    rows = ['| method | device | images | steps | largest relative difference to the CPU |', '|---|---|---|---|---|']
    last = {tuple(line[key] for key in ('method', 'device', 'size', 'batch', 'steps')): line for line in lines}
    for (method, device, size, batch, steps), line in last.items():
        difference = f'{line["largest_relative_difference"]:.1e}' + ('' if line['equal'] else ', too large')
        rows.append(f'| {method} | {device} | {batch} + {batch} of {size} x {size} | {steps} | {difference} |')
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('gpu_losses', 'performance.md', markdown)

if __name__ == '__main__':
    sys.exit(main())
