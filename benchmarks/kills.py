"""Kill trainings at random moments, resume them, and compare their last weights with those of one that was not killed.

    python benchmarks/kills.py --kills 50                                # SIGKILL, simEps and simEps-plus, without workers
    python benchmarks/kills.py --kills 20 --workers 2 --signals KILL TERM
    python benchmarks/kills.py --update                                  # the table in docs/reliability.md

Each training is killed again and again until it gets to its end. It counts as equal if every tensor of its last checkpoint is
equal bit for bit, the generators' states included. It leaves a line in benchmarks/results/kills.jsonl; called again, this goes
on after those that are there. Exit code: 0 when all are equal.

For Linux: every attempt is a fork of this process, which has imported what takes seconds.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from yapf.yapflib import yapf_api

from benchmarks.pages import ResultsTable
from benchmarks.results import NAMES, append, lines_of
from simeps_mmseg.apis.train import train
from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.engine.hooks.stop_signals import RESUMABLE
from simeps_mmseg.utils import report_user_errors
from simeps_mmseg.utils.configs import load_config

CONFIG = 'configs/{}/unet_synthetic_2pct.py'
KEYS = ('method', 'workers', 'signals', 'iters', 'seed')  # what makes two lines parts of one experiment
COMPARED = ('state_dict', 'optimizer', 'random_streams')
MOST_ATTEMPTS = 200  # of one training


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=50, help='at least so many per method')
    parser.add_argument('--methods', nargs='+', default=['simeps', 'simeps_plus'], help='folders below configs/')
    parser.add_argument('--iters', type=int, default=40, help='steps of a training; a checkpoint every eighth of them')
    parser.add_argument('--workers', type=int, default=0, help='worker processes of each data loader')
    parser.add_argument('--signals', nargs='+', choices=['KILL', 'TERM', 'HUP'], default=['KILL'])
    parser.add_argument('--minutes', type=float, default=float('inf'), help='no new training starts after that')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--data-root', type=Path, default=Path('data'))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/kills'))
    return TABLE.parse(parser)


def small(iters: int, workers: int, data: Path) -> list[str]:
    """Changes of a shipped config that make steps of some hundredths of a second."""
    loaders = [f'{name}_dataloader' for name in ('train', 'val', 'test')]
    sources = ['train_dataloader.dataset.labeled', *(f'{name}.dataset' for name in loaders[1:])]
    return [
        f'train_cfg.max_iters={iters}',
        f'train_cfg.val_interval={max(1, iters // 4)}',
        f'param_scheduler.0.end={iters}',
        f'default_hooks.checkpoint.interval={max(1, iters // 8)}',
        'default_hooks.logger.interval=1',
        'train_dataloader.batch_size=4',
        'train_dataloader.sampler.num_labeled=2',
        'train_dataloader.sampler.num_unlabeled=2',
        'val_dataloader.dataset.indices=4',
        'model.branch.backbone.base_channels=4',
        'model.branch.decode_head.in_channels=4',
        'model.branch.decode_head.channels=4',
        'model.branch.decode_head.dropout_ratio=0.1',
        *[f'{name}.num_workers={workers}' for name in loaders],
        *[f'{name}.persistent_workers={workers > 0}' for name in loaders],
        *[f'{source}.data_root={data / "synthetic"}' for source in sources],
    ]


def attempt(config: Path, folder: Path) -> int:
    """Start a training, or go on with one, in a process of its own.

    Returns:
        The process id; also that of its group.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        with folder.with_suffix('.log').open('ab', buffering=0) as log:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
        code = report_user_errors(lambda: train(str(config), str(folder), resume=True))
    except SystemExit as ending:
        code = ending.code
    finally:
        os._exit(code if isinstance(code, int) else 1)


def ended(child: int) -> int | None:
    """The exit code of a process, negative after a signal; None while it runs."""
    found, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def killed_until_done(
    start: Callable[[], int], rng: random.Random, seconds: float, signals: Sequence[str]
) -> tuple[int, list[int]]:
    """Kill a training at random moments until it ends by itself.

    Args:
        start: Begins an attempt.
        rng: Draws moments and signals.
        seconds: That a whole training takes; moments are drawn from it.
        signals: Names without ``SIG``.

    Returns:
        How often it was killed, and the exit codes of the attempts.
    """
    kills, codes = 0, []
    while len(codes) < MOST_ATTEMPTS:
        child, deadline = start(), time.monotonic() + rng.uniform(0, seconds)
        sent = False
        while (code := ended(child)) is None:
            if not sent and time.monotonic() >= deadline:
                os.kill(child, getattr(signal, f'SIG{rng.choice(signals)}'))
                sent = True
            time.sleep(0.005)
        codes.append(code)
        if code == 0:
            return kills, codes
        if code not in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, RESUMABLE):
            break  # failed by itself
        kills += 1
    return kills, codes


def differences(one: object, other: object, path: str = '') -> list[str]:
    """Where two nested structures of tensors and plain values are not equal bit for bit."""
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        return [] if same else [path]
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [line for key in one for line in differences(one[key], other[key], f'{path}.{key}')]
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)) and len(one) == len(other):
        return [line for i, pair in enumerate(zip(one, other)) for line in differences(*pair, f'{path}[{i}]')]
    return [] if one == other else [path]


def last_state(folder: Path, iters: int) -> dict:
    """What has to be equal of the last checkpoint of a training."""
    checkpoint = read_checkpoint(folder / f'iter_{iters}.pth')
    return {key: checkpoint[key] for key in COMPARED}


def prepared(method: str, args: argparse.Namespace) -> tuple[Path, dict, float]:
    """Config, last state and seconds of the training that is not killed; trained once for the same config.

    Raises:
        SystemExit: If it fails.
    """
    folder = args.work_dir / f'{method}_{args.workers}'
    config, times = folder / 'config.py', folder / 'seconds.json'
    cfg = load_config(CONFIG.format(method), small(args.iters, args.workers, args.data_root.absolute()))
    if not (times.is_file() and config.read_text() == cfg.pretty_text):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        cfg.dump(config)  # whole: what is inherited takes seconds to read, at every attempt
        begin = time.monotonic()
        _, (code,) = killed_until_done(lambda: attempt(config, folder / 'whole'), random.Random(0), 1e9, ['KILL'])
        if code:
            raise SystemExit(f'{method}: the training that is not killed failed, see {folder / "whole.log"}')
        times.write_text(json.dumps(time.monotonic() - begin))
    return config, last_state(folder / 'whole', args.iters), json.loads(times.read_text())


def run(method: str, args: argparse.Namespace) -> list[dict]:
    """Kill trainings of a method until there are as many kills as were asked for; those of earlier calls count.

    Returns:
        The lines of all its trainings.
    """
    experiment = dict(method=method, workers=args.workers, signals=args.signals, iters=args.iters, seed=args.seed)
    lines = [line for line in lines_of(args.results) if all(line[key] == experiment[key] for key in KEYS)]
    begin = time.monotonic()
    if sum(line['kills'] for line in lines) >= args.kills:
        return lines
    config, expected, seconds = prepared(method, args)
    while sum(line['kills'] for line in lines) < args.kills and time.monotonic() - begin < 60 * args.minutes:
        number = len(lines)
        one = config.parent / f'killed_{number}'
        shutil.rmtree(one, ignore_errors=True)  # begun by a call that was cut off itself
        rng = random.Random(f'{args.seed}, {number}')
        kills, codes = killed_until_done(lambda one=one: attempt(config, one), rng, seconds, args.signals)
        line = dict(experiment, training=number, kills=kills, finished=codes[-1] == 0, equal=False)
        if not line['finished']:
            print(f'{one}: exit codes {codes}', file=sys.stderr)
        else:
            differing = differences(expected, last_state(one, args.iters))
            line['equal'] = not differing
            if differing:
                print(f'{one}: {len(differing)} values differ, such as {differing[0]}', file=sys.stderr)
            else:
                shutil.rmtree(one)
        append(args.results, line)
        lines.append(line)
    return lines


def summary(lines: Sequence[dict]) -> dict:
    """Counts over the trainings that a signal met: these, ``kills``, ``finished`` (went on after every kill) and ``equal``."""
    met = [line for line in lines if line['kills'] or not line['equal']]  # others ended before, as they should
    return dict(trainings=len(met), **{key: sum(line[key] for line in met) for key in ('kills', 'finished', 'equal')})


def markdown(lines: Sequence[dict]) -> str:
    """One row per method, number of workers and kind of signal."""
    rows = [
        '| method | worker processes | signals | kills | trainings | went on to the end | equal to one never killed |',
        '|---|---|---|---|---|---|---|',
    ]
    groups = defaultdict(list)
    for line in lines:
        groups[line['method'], line['workers'], ', '.join(f'SIG{name}' for name in line['signals'])].append(line)
    for (method, workers, signals), own in sorted(groups.items()):
        counts = summary(own)
        cells = [NAMES[method], workers, signals, *(counts[key] for key in ('kills', 'trainings', 'finished', 'equal'))]
        rows.append(f'| {" | ".join(map(str, cells))} |')
    return '\n'.join(rows) + '\n'


def main() -> int:
    args = parse_args()
    # Each checkpoint holds the text of the config. To lay it out takes longer than the steps between two checkpoints.
    yapf_api.FormatCode = lambda text, **_: (text, False)
    torch.set_num_threads(1)  # a fork of a process with threads may hang
    counts = []
    for method in args.methods:
        counts.append(summary(run(method, args)))
        print(json.dumps(dict(method=method, workers=args.workers, signals=args.signals, **counts[-1])), flush=True)
    return int(any(one['equal'] < one['trainings'] for one in counts))


TABLE = ResultsTable('kills', 'reliability.md', markdown)

if __name__ == '__main__':
    sys.exit(main())
