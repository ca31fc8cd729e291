"""A long training of a tiny network, watched: what would grow over a night (memory, open files, the work folder, checkpoints).

    python benchmarks/soak.py                              # 30,000 steps of simEps-plus, into benchmarks/results/soak.jsonl
    python benchmarks/soak.py --iters 300 --results mine.jsonl
    python benchmarks/soak.py --update                     # the table in docs/reliability.md

It trains as users do, with all default hooks, and validates and saves thirty times; before each of these it takes a reading,
which is printed and kept in the work folder. The finished run leaves one JSON line. Called again, a training that was cut off
goes on.

For Linux: memory and open files are read from /proc.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from benchmarks.kills import CONFIG, small
from benchmarks.pages import ResultsTable
from benchmarks.results import NAMES, append, lines_of
from simeps_mmseg.apis.train import train
from simeps_mmseg.utils import report_user_errors
from simeps_mmseg.utils.configs import load_config

READINGS = 30
SHOWN = dict(
    memory_mib='memory of the process, MiB',
    open_files='open files',
    threads='threads',
    folder_files='files in the work folder',
    folder_mib='work folder, MiB',
    checkpoint_mib='newest checkpoint, MiB',
    step_ms='a step, ms',
)


@HOOKS.register_module()
class SoakHook(Hook):
    """Takes a reading every so many steps.

    Args:
        interval: Steps between two.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self._seconds = 0.0
        self._begin = 0.0

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Start the clock: validations and checkpoints between steps are not timed."""
        self._begin = time.perf_counter()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Add the time of this step; at the interval append a reading."""
        self._seconds += time.perf_counter() - self._begin
        if self.every_n_train_iters(runner, self.interval):
            step_ms = 1000 * self._seconds / self.interval
            self._seconds = 0.0
            line = dict(step=runner.iter + 1, **reading(Path(runner.work_dir)), step_ms=round(step_ms, 2))
            append(Path(runner.work_dir) / 'readings.jsonl', line)
            print(json.dumps(line), flush=True)


def reading(folder: Path) -> dict:
    """Memory, open files and threads of this process, files of a work folder."""
    files = [file for file in folder.rglob('*') if file.is_file()]
    checkpoints = sorted(folder.glob('iter_*.pth'), key=lambda file: file.stat().st_mtime)
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    return dict(
        memory_mib=round(int(status['VmRSS'].split()[0]) / 1024, 1),
        open_files=len(os.listdir('/proc/self/fd')),
        threads=int(status['Threads']),
        folder_files=len(files),
        folder_mib=round(sum(file.stat().st_size for file in files) / 2**20, 2),
        checkpoint_mib=round(checkpoints[-1].stat().st_size / 2**20, 3) if checkpoints else None,
    )


def soak(args: argparse.Namespace) -> dict:
    """Train, or go on.

    Returns:
        The line: what was run, and all readings.
    """
    folder = args.work_dir / f'{args.method}_{args.workers}_{args.iters}'
    folder.mkdir(parents=True, exist_ok=True)
    every = max(1, args.iters // READINGS)
    options = [
        *small(args.iters, args.workers, args.data_root.absolute()),
        f'train_cfg.val_interval={every}',
        f'default_hooks.checkpoint.interval={every}',
        'default_hooks.logger.interval=50',
    ]
    cfg = load_config(CONFIG.format(args.method), options)
    cfg.custom_hooks.append(dict(type='SoakHook', interval=every, priority='LOWEST'))
    cfg.dump(folder / 'config.py')
    train(str(folder / 'config.py'), str(folder), resume=True)
    by_step = {
        line['step']: line for line in lines_of(folder / 'readings.jsonl')
    }  # a step read twice: before and after a cut
    run = dict(method=args.method, workers=args.workers, iters=args.iters, threads=torch.get_num_threads())
    return dict(run, readings=[by_step[step] for step in sorted(by_step)])


def markdown(lines: Sequence[dict]) -> str:
    """One row per quantity of each run: after a tenth of the steps, when all is warm, half of them, and all."""
    rows = ['| run | | after a tenth | half | all steps |', '|---|---|---|---|---|']
    for line in lines:
        readings, end = line['readings'], line['readings'][-1]['step']
        chosen = [next(one for one in readings if one['step'] >= share * end) for share in (0.1, 0.5, 1.0)]
        name = f'{NAMES[line["method"]]}, {line["iters"]:,} steps, {line["workers"]} worker processes'
        for key, label in SHOWN.items():
            cells = ['-' if one[key] is None else f'{one[key]:g}' for one in chosen]
            rows.append(f'| {name} | {label} | {" | ".join(cells)} |')
            name = ''
    if not lines:
        rows.append('| not yet measured | | | | |')
    return '\n'.join(rows) + '\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iters', type=int, default=30_000)
    parser.add_argument('--method', default='simeps_plus', help='folder below configs/')
    parser.add_argument('--workers', type=int, default=0, help='worker processes of each data loader')
    parser.add_argument(
        '--data-root', type=Path, default=Path('data'), help='where prepare_data wrote the synthetic set'
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/soak'))
    args = TABLE.parse(parser)
    return report_user_errors(lambda: append(args.results, soak(args)))


TABLE = ResultsTable('soak', 'reliability.md', markdown)

if __name__ == '__main__':
    sys.exit(main())
