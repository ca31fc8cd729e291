"""What one training step costs, as ratios within one run.

    python benchmarks/step_cost.py                                  # U-Net, 8 + 8 images of 128 x 128
    python benchmarks/step_cost.py --size 256 --batch 16 --precision float32 --seconds 1200
    python benchmarks/step_cost.py --compiled
    python benchmarks/step_cost.py --update                         # the table of docs/performance.md

A step is ``train_step`` of the shipped configs over one fixed batch: normalisation, forward, backward, optimiser. Time is
beside three labels-only steps over the same images, all labelled, as three networks need them; peak memory beside one of
these steps.

Each variant has a process of its own, so that its peak is its own: that of two first steps, on the CPU (read from Linux) less
what the process took before. Then all take turns in rounds; times are medians over these. One JSON line for each precision.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from torch import nn

from benchmarks.hooks import backbones_of
from benchmarks.measuring import device_name, found_device, peak_mib, seconds_of
from benchmarks.pages import ResultsTable
from benchmarks.protocols import SUPERVISED
from benchmarks.results import append
from benchmarks.steps import PRECISIONS, Case, make_step
from benchmarks.turns import Step, take_turns
from simeps_mmseg.utils.kept_memory import keep_freed_memory

BASE = 'labels only'
RETURNING = 'simEps, freed memory goes back to the system'
ROUNDS = 5
MOST_SECONDS = 200  # for all precisions together


def one_backward_pass(model: nn.Module) -> None:
    """The step of mmengine, as its wrapper for several processes makes it."""
    model.train_step = partial(BaseModel.train_step, model)


def branch_by_branch(model: nn.Module) -> None:
    model.branch_by_branch = True


def compiled_step(model: nn.Module) -> None:
    """What mmengine makes of ``compile=True`` in a config."""
    model.train_step = torch.compile(model.train_step)


def compiled_backbones(model: nn.Module) -> None:
    for backbone in backbones_of(model):
        backbone.compile()


# Folder below configs/, and what is changed of its model.
VARIANTS: dict[str, tuple[str, Callable[[nn.Module], None] | None]] = {
    BASE: (SUPERVISED, None),
    'simEps': ('simeps', None),
    'simEps-plus': ('simeps_plus', None),
    'simEps, one backward pass': ('simeps', one_backward_pass),
    'simEps, branch by branch': ('simeps', branch_by_branch),
    RETURNING: ('simeps', None),
}
COMPILED: dict[str, tuple[str, Callable[[nn.Module], None] | None]] = {
    'simEps, compiled step': ('simeps', compiled_step),
    'simEps, compiled backbones': ('simeps', compiled_backbones),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--network', default='unet', help="first part of a config's file name")
    parser.add_argument('--size', type=int, default=128, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=8, help='labelled images; as many unlabelled ones')
    parser.add_argument('--precision', nargs='+', choices=PRECISIONS, default=['float32', 'bfloat16'])
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seconds', type=float, default=MOST_SECONDS, help='no round but the first starts after that')
    parser.add_argument('--compiled', action='store_true', help='with torch.compile, too: takes minutes more')
    parser.add_argument('--device', default=found_device())
    args = TABLE.parse(parser)
    start = time.monotonic()
    variants = [*VARIANTS, *(COMPILED if args.compiled else ())]
    for index, precision in enumerate(args.precision, 1):
        end = start + args.seconds * index / len(args.precision)
        case = Case(args.network, args.size, args.batch, SUPERVISED, precision)
        line = measured(variants, case, args.device, args.rounds, end)
        append(args.results, line)
        print(json.dumps(line), flush=True)


# -- measurement -----------------------------------------------------------------------------------------------------


def measured(variants: Sequence[str], case: Case, device: str, rounds: int, end: float) -> dict:
    """The line of a precision.

    Args:
        variants: Of which :data:`BASE` is one.
        case: Network, images and precision.
        device: ``cpu`` or ``cuda``.
        rounds: In which each variant has its turn.
        end: Of ``time.monotonic``: no round but the first starts after that.
    """
    makers = {name: partial(prepare, name, case, device) for name in variants}
    peaks, times = take_turns(makers, rounds, device, end)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return dict(
        what='step_cost',
        network=case.network,
        size=case.size,
        batch=case.batch,
        precision=case.precision,
        device=device_name(device),
        torch=torch.__version__,
        rounds=len(times[BASE]),
        seconds={name: round(value, 4) for name, value in seconds.items()},
        time={name: round(value / (3 * seconds[BASE]), 3) for name, value in seconds.items() if name != BASE},
        peak_mib=peaks,
        memory={name: round(value / max(peaks[BASE], 1), 2) for name, value in peaks.items()},
    )


def prepare(name: str, case: Case, device: str) -> tuple[Step, int]:
    """Set up a variant and train two steps, so that the optimiser has its moments and kernels are chosen.

    Returns:
        A step, and the peak memory in MiB.
    """
    method, change = {**VARIANTS, **COMPILED}[name]
    init_default_scope('mmseg')
    if name != RETURNING:
        keep_freed_memory()
    at_rest = peak_mib(device)
    model, step = make_step(Case(case.network, case.size, case.batch, method, case.precision), device)
    if change is not None:
        change(model)
    timed = partial(seconds_of, step, 1, device)
    for _ in range(2):
        timed()
    return timed, peak_mib(device) - at_rest


# -- table -----------------------------------------------------------------------------------------------------------


def newest(lines: Sequence[dict]) -> list[dict]:
    """Of each network, size, batch, precision and device the last line."""
    keys = ('network', 'size', 'batch', 'precision', 'device')
    return list({tuple(line[key] for key in keys): line for line in lines}.values())


def markdown(lines: Sequence[dict]) -> str:
    """One row per variant, one column per measured precision."""
    shown = newest(lines)
    rows = [
        f'| time, peak memory | {" | ".join(map(heading, shown))} |',
        f'|---|{"---|" * len(shown)}',
        f'| three labels-only steps, one after the other | {" | ".join("1.00, 1.00" for _ in shown)} |',
    ]
    for name in [*VARIANTS, *COMPILED][1:]:
        cells = [
            f'{line["time"][name]:.2f}, {line["memory"][name]:.2f}' if name in line['time'] else '' for line in shown
        ]
        if any(cells):
            rows.append(f'| {name} | {" | ".join(cells)} |')
    base = ', '.join(f'{line["seconds"][BASE]:.3g} s and {line["peak_mib"][BASE]:,} MiB' for line in shown)
    rows.append(f'\nOne labels-only step takes {base}. 1.00 is three times that time, and once that memory.')
    return '\n'.join(rows) + '\n'


def heading(line: dict) -> str:
    """What a column is of.

    Example:
        >>> heading(dict(network='unet', batch=8, size=128, precision='float32', device='CPU, 2 threads', rounds=5))
        'unet, 8 + 8 images of 128 x 128, float32, CPU, 2 threads, 5 rounds'
    """
    images = f'{line["batch"]} + {line["batch"]} images of {line["size"]} x {line["size"]}'
    return f'{line["network"]}, {images}, {line["precision"]}, {line["device"]}, {line["rounds"]} rounds'


TABLE = ResultsTable('step_cost', 'performance.md', markdown)

if __name__ == '__main__':
    main()
