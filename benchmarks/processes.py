"""What a training step of the same images takes by number of processes: seconds, and memory of one of them.

    python benchmarks/processes.py                       # 1, 2 and 4 processes, 16 + 16 images of 128 x 128 in all
    python benchmarks/processes.py --update              # the table of docs/performance.md

The U-Net of the shipped configs. Several processes train through the wrapper of ``simeps train``, over gloo on the CPU and
NCCL on GPUs, each with its share of the images, and one thread on the CPU. Numbers of processes take turns in rounds; each
time, steps are timed after two that are not. Medians over all. One JSON line for each method.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
import torch.distributed as dist
from mmengine.registry import init_default_scope
from torch import multiprocessing, nn

from benchmarks.measuring import device_name, found_device, peak_mib, seconds_of
from benchmarks.pages import ResultsTable
from benchmarks.results import NAMES, append
from benchmarks.steps import Case, make_step
from simeps_mmseg.models import ByPartsDistributedDataParallel
from simeps_mmseg.utils.kept_memory import keep_freed_memory

STEPS = 3  # of each turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--processes', type=int, nargs='+', help='beside 1; default: 2 and 4, on GPUs as many as there are'
    )
    parser.add_argument('--methods', nargs='+', default=['simeps', 'simeps_plus'], help='folders below configs/')
    parser.add_argument(
        '--images', type=int, default=16, help='labelled images of all processes; as many unlabelled ones'
    )
    parser.add_argument('--size', type=int, default=128, help='height and width of the images')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--device', default=found_device())
    args = TABLE.parse(parser)
    numbers = sorted({1, *(args.processes or (2, 4))})
    if args.device == 'cuda' and not args.processes:
        numbers = [number for number in numbers if number <= torch.cuda.device_count()]
    if uneven := [number for number in numbers if args.images % number]:
        parser.error(f'--images {args.images} cannot be shared by {uneven} processes')
    torch.set_num_threads(1)  # as each process
    for method in args.methods:
        case = Case('unet', args.size, args.images, method, 'float32')
        line = measured(case, numbers, args.rounds, args.device)
        append(args.results, line)
        print(json.dumps(line), flush=True)


def measured(case: Case, processes: Sequence[int], rounds: int, device: str) -> dict:
    """The line of a method.

    Args:
        case: ``batch`` counts the labelled images of all processes.
        processes: Numbers of them, each of which divides ``batch``.
        rounds: In which each number has its turn.
        device: ``cpu`` or ``cuda``.
    """
    turns: dict[int, list[dict]] = {number: [] for number in processes}
    for _ in range(rounds):
        for number in processes:
            turns[number].append(in_processes(partial(turn, case, device), number, device))
    return dict(
        what='processes',
        **{key: getattr(case, key) for key in ('network', 'method', 'size', 'batch', 'precision')},
        device=device_name(device),
        cores=len(os.sched_getaffinity(0)),
        torch=torch.__version__,
        seconds={n: round(statistics.median(s for one in own for s in one['seconds']), 3) for n, own in turns.items()},
        peak_mib={n: max(one['peak_mib'] for one in own) for n, own in turns.items()},
    )


def in_processes(function: Callable[[int, int], Any], number: int, device: str) -> Any:
    """What ``function(rank, number)`` returns in the first of several processes that know each other."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.start_processes(
            _join, args=(number, device, Path(folder), function), nprocs=number, start_method='spawn'
        )
        return json.loads((Path(folder) / 'found.json').read_text())


def _join(rank: int, number: int, device: str, folder: Path, function: Callable[[int, int], Any]) -> None:
    torch.set_num_threads(1)
    if device == 'cuda':
        torch.cuda.set_device(rank)
    backend = 'nccl' if device == 'cuda' else 'gloo'
    dist.init_process_group(backend, f'file://{folder}/meeting', rank=rank, world_size=number)
    found = function(rank, number)
    if rank == 0:
        (folder / 'found.json').write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


def turn(case: Case, device: str, rank: int, number: int) -> dict:
    """Seconds of some steps of one of several processes with its share of the images, and its peak memory in MiB."""
    init_default_scope('mmseg')
    keep_freed_memory()
    at_rest = peak_mib(device)
    share = Case(case.network, case.size, case.batch // number, case.method, case.precision)
    model, step = make_step(share, device)
    if number > 1:
        train_together(model)
    for _ in range(2):
        step()
    dist.barrier()
    return dict(seconds=[seconds_of(step, 1, device) for _ in range(STEPS)], peak_mib=peak_mib(device) - at_rest)


def train_together(model: nn.Module) -> None:
    """Let a model's step be that of several processes, wrapped as ``simeps train`` wraps it."""
    model.train_step = ByPartsDistributedDataParallel(model, broadcast_buffers=False).train_step


def markdown(lines: Sequence[dict]) -> str:
    """One row per method and number of processes, of the last line of each method and size."""
    newest = {tuple(line[key] for key in ('method', 'size', 'batch', 'device', 'cores')): line for line in lines}
    rows = [
        '| | processes | images of each | a step, s | beside one process | memory of a process, MiB |',
        '|---|---|---|---|---|---|',
    ]
    for line in newest.values():
        name = f'{NAMES[line["method"]]}, {line["device"]}, {line["cores"]} cores'
        one = line['seconds']['1']
        for number, seconds in line['seconds'].items():
            share = line['batch'] // int(number)
            images = f'{share} + {share} of {line["size"]} x {line["size"]}'
            cells = [name, number, images, f'{seconds:.2f}', f'{seconds / one:.2f}', f'{line["peak_mib"][number]:,}']
            rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('processes', 'performance.md', markdown)

if __name__ == '__main__':
    main()
