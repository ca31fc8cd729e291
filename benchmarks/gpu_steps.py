"""What a training step costs on this device, by network, size, method and precision, eager and compiled.

    python benchmarks/gpu_steps.py --results lines.jsonl --profile profile.txt --seconds 80
    python benchmarks/gpu_steps.py --results lines.jsonl --small --seconds 30          # a try on the CPU
    python benchmarks/gpu_steps.py --update                                          # the tables of docs/performance.md

One JSON line a case, written at once: seconds per step, images per second, peak memory, floating point operations of a step
and their share of what a large matrix product of the same precision reaches on this device. ``ratio`` is the time beside that
of three labels-only steps over the same images, all labelled. A case that fails has ``error`` in its place.

A step is what training does from decoded images on: transfer, normalisation, forward, backward, optimiser. Networks start
without pretrained weights. float32 convolutions are TF32 on a GPU, as PyTorch has it. Compiled, with CUDA graphs, are the
backbones, which is where the time goes; heads run as they are.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.registry import init_default_scope
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEventAvg
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.hooks import backbones_of
from benchmarks.measuring import device_name, found_device, peak_mib, seconds_of
from benchmarks.pages import ResultsTable
from benchmarks.protocols import GPU_METHODS, GPU_NETWORKS, SUPERVISED
from benchmarks.results import append
from benchmarks.steps import PRECISIONS, Case, make_step

SMALL = (('unet', 32, 2),)
PROFILED_STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--profile', type=Path, help='file for tables of where a step goes')
    parser.add_argument('--seconds', type=float, default=80, help='no case starts after that')
    parser.add_argument('--small', action='store_true', help='one tiny network')
    parser.add_argument('--precisions', nargs='+', choices=PRECISIONS, default=PRECISIONS)
    args = TABLE.parse(parser)
    end = time.monotonic() + args.seconds
    device = found_device()
    torch.backends.cudnn.benchmark = True  # as in the shipped configs
    init_default_scope('mmseg')
    peaks = {precision: matrix_peak(precision, device) for precision in args.precisions}
    append(args.results, dict(what='matrix_peak', device=device_name(device), tflops=peaks))
    seconds: dict[Case, float] = {}
    for case in cases(SMALL if args.small else GPU_NETWORKS):
        if case.precision not in peaks:
            continue
        if time.monotonic() > end:
            break
        whose = dict(device=device_name(device), **asdict(case))
        line = attempt(args.results, 'step', whose, partial(measure, case, device, peaks[case.precision], seconds))
        if args.profile and is_profiled(case) and 'error' not in line:
            attempt(args.results, 'profile', whose, partial(profile, case, device, args.profile))


def attempt(path: Path, what: str, whose: dict, measured: Callable[[], dict]) -> dict:
    """Add a line with what was measured or, as the other cases are to go on, with the error."""
    line = dict(what=what, **whose)
    try:
        line.update(measured())
    except Exception as error:  # out of memory, or a compiler's
        line['error'] = f'{type(error).__name__}: {error}'[:500]
    append(path, line)
    print(json.dumps(line), flush=True)
    return line


def cases(networks: tuple[tuple[str, int, int], ...]) -> Iterator[Case]:
    """All cases, those first that answer most: compiling takes longest, and float32 says least of the larger networks."""
    first, others = networks[:1], networks[1:]
    eager, compiled = False, True
    yield from _combined(first, PRECISIONS, eager)
    yield from _combined(others, PRECISIONS[:1], eager)
    yield from _combined(first, PRECISIONS[:1], compiled)
    yield from _combined(others, PRECISIONS[1:], eager)
    yield from _combined(first, PRECISIONS[1:], compiled)
    yield from _combined(others, PRECISIONS, compiled)


def _combined(networks: Iterable[tuple[str, int, int]], precisions: Iterable[str], compiled: bool) -> Iterator[Case]:
    for network, precision, method in itertools.product(networks, precisions, GPU_METHODS):
        yield Case(*network, method, precision, compiled)


def ratio(case: Case, seconds: dict[Case, float]) -> float | None:
    """Time of a step over that of three labels-only steps; None while that is not known."""
    base = seconds.get(Case(**{**asdict(case), 'method': SUPERVISED}))
    return None if base is None else round(seconds[case] / (3 * base), 3)


def is_profiled(case: Case) -> bool:
    return (case.network, case.precision, case.compiled) == ('unet', 'bfloat16', False)


def measure(case: Case, device: str, peak: float, known: dict[Case, float]) -> dict:
    """What a case takes, as fields of its line.

    Args:
        peak: What a matrix product of that precision reaches, in TFLOP/s.
        known: Seconds of a step of the cases before; gets those of this one.
    """
    torch.compiler.reset()  # graphs of the case before, and their memory
    model, step = make_step(case, device)
    with FlopCounterMode(display=False) as counter:
        step()
    if case.compiled:
        for backbone in backbones_of(model):
            # With CUDA graphs on a GPU: the host is what a small network waits for.
            backbone.compile(mode='reduce-overhead')
    first = seconds_of(step, 1, device)
    seconds_of(step, 2, device)
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    once = seconds_of(step, 1, device)
    steps = max(1, min(30, int(2 / once)))
    seconds = seconds_of(step, steps, device)
    tflops = counter.get_total_flops() / seconds / 1e12
    known[case] = seconds
    return dict(
        seconds=round(seconds, 5),
        images_per_second=round(2 * case.batch / seconds, 1),
        peak_memory_mib=peak_mib(device) if device == 'cuda' else None,
        gflop=round(counter.get_total_flops() / 1e9, 2),
        share_of_matrix_peak=round(tflops / peak, 4),
        first_step_seconds=round(first, 3),
        steps=steps,
        ratio=ratio(case, known),
    )


def matrix_peak(precision: str, device: str) -> float:
    """TFLOP/s of a large product of random matrices; float32 in TF32 where the device has it."""
    size = 8192 if device == 'cuda' else 512
    left, right = (torch.randn(size, size, device=device, dtype=getattr(torch, precision)) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high')
    seconds_of(lambda: left @ right, 3, device)
    seconds = seconds_of(lambda: left @ right, 10, device)
    torch.set_float32_matmul_precision(before)
    return round(2 * size**3 / seconds / 1e12, 3)


def profile(case: Case, device: str, file: Path) -> dict:
    """Add a table of where a step of a case goes to a file.

    Returns:
        Fields of a line: milliseconds of a step on the host, under the profiler and with its waits, and of the device's work;
        calls that launch kernels, copies, and waits for the device.
    """
    _, step = make_step(case, device)
    seconds_of(step, 3, device)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == 'cuda':
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        seconds_of(step, PROFILED_STEPS, device)
    averages = profiler.key_averages()
    table = averages.table(sort_by=f'self_{device}_time_total', row_limit=30, max_name_column_width=70)
    with file.open('a') as text:
        text.write(f'{case}\n{table}\n\n')

    def each(values: Iterable[float]) -> float:
        return round(sum(values) / PROFILED_STEPS, 1)

    counts = {event.key: event.count for event in averages}
    return dict(
        steps=PROFILED_STEPS,
        host_ms=each(event.self_cpu_time_total / 1000 for event in averages),
        device_ms=each(event.self_device_time_total / 1000 for event in averages if is_device_work(event)),
        launches=each(count for key, count in counts.items() if 'LaunchKernel' in key),
        copies=each([counts.get('cudaMemcpyAsync', 0)]),
        waits=each([counts.get('cudaStreamSynchronize', 0)]),
    )


def is_device_work(event: FunctionEventAvg) -> bool:
    """Whether an event is a kernel or a copy, and no annotation that spans some, such as the optimiser's step."""
    return event.device_type == DeviceType.CUDA and not event.is_user_annotation


# -- the tables ------------------------------------------------------------------------------------------------------


def markdown(lines: Sequence[dict]) -> str:
    """What a step takes, then what the host and the device do in it; of each case and device the last line."""
    peaks = {line['device']: line['tflops'] for line in lines if line['what'] == 'matrix_peak'}
    rows = [
        '| step | seconds | images a second | peak memory, MiB | beside three labels-only steps | share of the matrix peak |',
        '|---|---|---|---|---|---|',
    ]
    for name, line in _last(lines, 'step').items():
        if 'error' in line:
            rows.append(f'| {name} | {line["error"].split(":")[0]} | | | | |')
            continue
        memory = '' if line['peak_memory_mib'] is None else f'{line["peak_memory_mib"]:,}'
        cells = [name, f'{line["seconds"]:.3f}', f'{line["images_per_second"]:.0f}', memory]
        cells += [
            '' if line['ratio'] is None else f'{line["ratio"]:.2f}',
            f'{100 * line["share_of_matrix_peak"]:.1f} %',
        ]
        rows.append(f'| {" | ".join(cells)} |')
    rows += [
        '',
        '| step | host under the profiler, ms | device busy, ms | kernels | copies | waits |',
        '|---|---|---|---|---|---|',
    ]
    for name, line in _last((line for line in lines if 'error' not in line), 'profile').items():
        counts = ' | '.join(f'{line[key]:,.0f}' for key in ('host_ms', 'device_ms', 'launches', 'copies', 'waits'))
        rows.append(f'| {name} | {counts} |')
    found = (
        f'{device}: {" and ".join(f"{found:.0f} in {name}" for name, found in peak.items())}'
        for device, peak in peaks.items()
    )
    return '\n'.join([*rows, '', f'TFLOP/s of a large matrix product: {"; ".join(found)}.']) + '\n'


def _last(lines: Iterable[dict], what: str) -> dict[str, dict]:
    """The last line of each case, by its name in a table."""
    found = {}
    for line in lines:
        if line['what'] == what:
            images = f'{line["batch"]} + {line["batch"]} of {line["size"]} x {line["size"]}'
            compiled = ', compiled backbones' if line['compiled'] else ''
            name = f'{line["device"]}, {line["network"]}, {images}, {line["precision"]}{compiled}: {line["method"]}'
            found[name] = line
    return found


TABLE = ResultsTable('gpu_steps', 'performance.md', markdown)

if __name__ == '__main__':
    main()
