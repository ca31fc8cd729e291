"""Train methods on the same labels for the same number of steps, and keep one JSON line per finished run.

    python benchmarks/compare.py                                                      # short: labels only and simEps
    python benchmarks/compare.py --protocol small --methods supervised simeps cps --fractions 1 5 10 100 --seeds 0 1 2
    python benchmarks/compare.py --protocol paper --jobs 4 --minutes 9 --state state  # slice by slice, until all are done

A run is a method, a data set, a percentage of labels, a split and a seed (of the initialisation and the order of the images).
Every method gets the same number of optimiser steps and of labelled images per step; what it forwards per step beside them
is counted and stated in its line.

Finished runs are in the results file and are passed over; an interrupted one continues from its last checkpoint. With
--minutes no run starts after that time, and running ones stop with a checkpoint; call again to go on. With --state what is
needed for that is one small file per unfinished run in a folder, so the next call may be on another machine, which has the
data and this repository and nothing else. (Its weights are rounded to float16 on the way.)

Validation, four times in each run, chooses the best weights. The test set is looked at after training, with the last and with
these best weights, and chooses nothing. The page of the results: benchmarks/results_page.py.

Exit code: 0 when all runs are finished, 75 when some have to go on in another slice, 1 when one failed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ONE_RUN = ROOT / 'benchmarks/one_run.py'
sys.path.insert(0, str(ROOT))

from benchmarks import results
from benchmarks.place import BUSY, DONE, FAILED, UNFINISHED, Place, task
from benchmarks.protocols import FIELDS, PRECISIONS, PROTOCOLS, expand, find_leaf, identity, name_of


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grid = parser.add_argument_group('the grid')
    grid.add_argument('--methods', nargs='+', default=['supervised', 'simeps'], help='folders below configs/')
    grid.add_argument('--datasets', nargs='+', default=['neu'], help='second part of the config name')
    grid.add_argument(
        '--fractions', nargs='+', type=float, default=[1, 10], help='percentages of labels; 100: labels only'
    )
    grid.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    grid.add_argument('--split-seeds', nargs='+', type=int, default=[0], help='which splits of prepare_data.py')
    protocol = parser.add_argument_group('the protocol, and single values of it')
    protocol.add_argument('--protocol', choices=PROTOCOLS, default='short')
    protocol.add_argument('--model', help='first part of the config name')
    protocol.add_argument('--iters', type=int)
    protocol.add_argument('--size', type=int, help='height and width of the images')
    protocol.add_argument('--batch', type=int, help='labelled images per step; as many unlabelled ones')
    protocol.add_argument(
        '--start', type=int, help='steps on labels alone of the network to start from; 0: from nothing'
    )
    protocol.add_argument('--starts', type=int, help='networks on labels to start from: one, or one for each branch')
    protocol.add_argument('--flips', action=argparse.BooleanOptionalAction, help='flip images at random')
    protocol.add_argument('--precision', choices=PRECISIONS, help='auto: bfloat16 where the hardware has it')
    protocol.add_argument('--cfg-options', nargs='+', default=[], help='further changes, key=value; part of the run')
    place = parser.add_argument_group('where and how')
    place.add_argument('--data-root', default='data', help='folder that prepare_data.py wrote to')
    place.add_argument('--work-dir', default='work_dirs/compare')
    place.add_argument('--results', type=Path, help='default: benchmarks/results/<protocol>.jsonl')
    place.add_argument('--jobs', type=int, default=1, help='runs at a time')
    place.add_argument('--threads', type=int, help='of the CPU for each run; default: an equal share')
    place.add_argument('--workers', type=int, help='that load images, for each run; default: 1, on a GPU up to 4')
    place.add_argument('--device', choices=('auto', 'cpu'), default='auto')
    place.add_argument('--minutes', type=float, help='length of this slice')
    place.add_argument(
        '--state', type=Path, help='folder to carry from slice to slice; results go to its results.jsonl'
    )
    place.add_argument('--keep-weights', action='store_true', help='of finished runs, in float16')
    args = parser.parse_args(argv)
    for name in ('jobs', 'iters', 'size', 'batch', 'threads', 'starts'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name} must be 1 or more, got {value}')
    protocol = protocol_asked_for(args)
    if protocol['start'] < 0:
        parser.error(f'--start must be 0 or more, got {args.start}')
    if protocol['starts'] > 1 and not protocol['start']:
        parser.error('--starts is for runs that go on from networks on labels: --protocol warm, or --start')
    wrong = [percent for percent in args.fractions if not 0 < percent <= 100]
    if wrong:
        parser.error(f'--fractions are percentages in (0, 100], got {wrong}')
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    start = time.monotonic()
    runs = grid_of(args)
    for run in runs:  # before the first hour, not after it
        find_leaf(ROOT / 'configs', run['method'], run['model'], run['dataset'])
    finished = {name_of(line['run']) for line in results.read(files_of(args))}
    todo = [run for run in runs if name_of(run) not in finished]
    print(f'{len(runs)} runs, {len(runs) - len(todo)} of them done before', flush=True)
    if not todo:
        return 0
    return Driver(args, len(todo), start).train(todo)


def grid_of(args: argparse.Namespace) -> list[dict]:
    """The runs that the command line asks for."""
    protocol = protocol_asked_for(args)
    grid = expand(protocol, args.methods, args.datasets, args.fractions, args.seeds, args.split_seeds, args.cfg_options)
    return [identity(run) for run in grid]


def protocol_asked_for(args: argparse.Namespace) -> dict:
    """The values of the named protocol, or those that the command line has in their place."""
    protocol = {'start': FIELDS['start'], 'starts': FIELDS['starts'], **PROTOCOLS[args.protocol]}
    asked = {key: getattr(args, key) for key in protocol}
    return {key: protocol[key] if value is None else value for key, value in asked.items()}


def results_file(args: argparse.Namespace) -> Path:
    """The file to which finished runs are added."""
    if args.results:
        return args.results
    return args.state / 'results.jsonl' if args.state else results.RESULTS / f'{args.protocol}.jsonl'


def files_of(args: argparse.Namespace) -> list[Path]:
    """The files that may have finished runs: without --results also those of this repository."""
    return [args.results] if args.results else [*results.shipped(), results_file(args)]


class Driver:
    """Trains runs, several at a time, each in a process of its own that writes to its own log."""

    def __init__(self, args: argparse.Namespace, count: int, start: float | None = None) -> None:
        self.args = args
        self.start = time.monotonic() if start is None else start
        self.count = count
        self.begun = 0
        self.processes: list[subprocess.Popen] = []
        self.place, self.environment = local_place(args, min(args.jobs, count))

    def train(self, runs: Iterable[dict]) -> int:
        """Train all; exit code as the module says."""
        with ThreadPoolExecutor(self.args.jobs) as pool:
            try:
                codes = list(pool.map(self.train_one, runs))
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in self.processes:
                    process.terminate()
                self.say('interrupted; call again to go on from the last checkpoints')
                return 130
        return FAILED if FAILED in codes else DONE if set(codes) == {DONE} else UNFINISHED

    def train_one(self, run: dict) -> int:
        """Train one run in a process of its own, say what became of it, return its exit code."""
        left = self.seconds_left()
        if left is not None and left <= 0:
            return UNFINISHED
        self.begun += 1
        name, log = name_of(run), self.place.folder(run) / 'log.txt'
        self.say(f'[{self.begun}/{self.count}] {name}: started')
        log.parent.mkdir(parents=True, exist_ok=True)
        end = None if left is None else time.time() + left
        command = [sys.executable, str(ONE_RUN), task(run, replace(self.place, end=end))]
        with log.open('a') as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **self.environment}
            )
            self.processes.append(process)
            code = process.wait()
        if code == DONE:
            self.say(f'{name}: finished, {self.outcome(name)}')
        elif code == UNFINISHED:
            self.say(f'{name}: {last_words(log)}, to be continued')
        elif code == BUSY:
            self.say(f'{name}: left to another process that is training it')
        else:
            self.say(f'{name}: FAILED with code {code}: {last_words(log)}; see {log}')
            code = FAILED
        return code

    def outcome(self, name: str) -> str:
        """The score of a finished run."""
        line = next(line for line in results.read([results_file(self.args)]) if name_of(line['run']) == name)
        score = line['last']['test']['mIoU_image']
        return f'per-image mIoU {score} % on test at the last step, {line["seconds_per_step"]:.3f} s a step'

    def seconds_left(self) -> float | None:
        """Seconds left in this slice; None where it has no end."""
        return None if self.args.minutes is None else self.start + 60 * self.args.minutes - time.monotonic()

    def say(self, text: str) -> None:
        print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)


def local_place(args: argparse.Namespace, jobs: int) -> tuple[Place, dict[str, str]]:
    """Where and with what runs are trained, and the environment variables that their processes get."""
    import torch

    on_gpu = args.device == 'auto' and torch.cuda.is_available()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    threads = args.threads or (max(1, cores // jobs) if jobs > 1 else None)
    workers = args.workers if args.workers is not None else max(1, min(4, cores // jobs)) if on_gpu else 1
    place = Place(
        data_root=args.data_root,
        work_dir=args.work_dir,
        results=str(results_file(args)),
        state=None if args.state is None else str(args.state),
        threads=threads,
        workers=workers,
        jobs=jobs,
        keep_weights=args.keep_weights,
    )
    return place, environment(args.device, threads)


def environment(device: str, threads: int | None) -> dict[str, str]:
    """Variables for the process of a run, beside those that it inherits."""
    added = {'CUDA_VISIBLE_DEVICES': ''} if device == 'cpu' else {}
    if threads:
        added['OMP_NUM_THREADS'] = str(threads)
    return added


def last_words(log: Path) -> str:
    """The last line of a log."""
    lines = [line for line in log.read_text(errors='replace').splitlines() if line.strip()]
    return lines[-1].strip() if lines else 'nothing in the log'


if __name__ == '__main__':
    sys.exit(main())
