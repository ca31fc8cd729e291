"""Kill trainings at random moments, resume them, and compare their last weights with those of one that was not killed.

    python benchmarks/kills.py --kills 50                                # SIGKILL, simEps and simEps-plus, without workers
    python benchmarks/kills.py --kills 20 --workers 2 --signals KILL TERM

Each training is killed again and again until it gets to its end. It counts as equal if every tensor of its last checkpoint is
equal bit for bit, the generators' states included. One JSON line per method is printed. Exit code: 0 when all are equal.

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
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from yapf.yapflib import yapf_api

from simeps_mmseg.apis.train import train
from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.engine.hooks.stop_signals import RESUMABLE
from simeps_mmseg.utils import report_user_errors
from simeps_mmseg.utils.configs import load_config

CONFIG = 'configs/{}/unet_synthetic_2pct.py'
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
    return parser.parse_args()


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


def run(method: str, args: argparse.Namespace) -> dict:
    """Kill trainings of a method.

    Returns:
        Counts: ``trainings``, ``kills``, ``finished``, ``equal``.
    """
    folder = args.work_dir / method
    config = folder / 'config.py'  # whole: what is inherited takes seconds to read, at every attempt
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    load_config(CONFIG.format(method), small(args.iters, args.workers, args.data_root.absolute())).dump(config)
    begin = time.monotonic()
    _, (code,) = killed_until_done(lambda: attempt(config, folder / 'whole'), random.Random(0), 1e9, ['KILL'])
    seconds = time.monotonic() - begin
    if code:
        raise SystemExit(f'{method}: the training that is not killed failed, see {folder / "whole.log"}')
    expected = last_state(folder / 'whole', args.iters)
    rng = random.Random(args.seed)
    line = dict(method=method, workers=args.workers, signals=args.signals, trainings=0, kills=0, finished=0, equal=0)
    line['seconds_of_one'] = round(seconds, 1)
    while line['kills'] < args.kills and time.monotonic() - begin < 60 * args.minutes:
        one = folder / f'killed_{line["trainings"]}'
        kills, codes = killed_until_done(lambda one=one: attempt(config, one), rng, seconds, args.signals)
        line['trainings'] += 1
        line['kills'] += kills
        if codes[-1] != 0:
            print(f'{one}: exit codes {codes}', file=sys.stderr)
            continue
        line['finished'] += 1
        differing = differences(expected, last_state(one, args.iters))
        line['equal'] += not differing
        if differing:
            print(f'{one}: {len(differing)} values differ, such as {differing[0]}', file=sys.stderr)
        else:
            shutil.rmtree(one)
    return line


def main() -> int:
    args = parse_args()
    # Each checkpoint holds the text of the config. To lay it out takes longer than the steps between two checkpoints.
    yapf_api.FormatCode = lambda text, **_: (text, False)
    torch.set_num_threads(1)  # a fork of a process with threads may hang
    lines = []
    for method in args.methods:
        lines.append(run(method, args))
        print(json.dumps(lines[-1]), flush=True)
    return int(any(line['equal'] < line['trainings'] for line in lines))


if __name__ == '__main__':
    sys.exit(main())
