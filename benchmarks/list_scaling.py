"""What many unlabelled images cost before step 1: seconds, and memory beyond that of labels only.

    python benchmarks/list_scaling.py --images 10000 100000 2000000
    python benchmarks/list_scaling.py --update                     # the table of docs/performance.md

A start is all that ``simeps train`` does until the first batch is there: lists, checks, data sets, model, worker processes.
The images are hard links to small ones in a folder of ``--place``, which should be in memory (/dev/shm). They are named by a
folder, by a list (``ann_file`` of UnlabeledFolderDataset), or by the list of an ordinary data set (split). The second start
finds the images that were opened in the first known to be sound. One JSON line for each start; cpu_seconds are those of the
first process, a worker's MiB those that it shares with no other process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from PIL import Image

from benchmarks.pages import ResultsTable
from benchmarks.results import append
from simeps_mmseg.apis import train

KINDS = ('folder', 'list', 'split')
LINKS_OF_A_FILE = 30_000  # file systems allow 32,000 or more
IMAGES_OF_A_FOLDER = 100_000
SIZE = 32
UNLABELED = dict(
    folder="'{pool}'",
    list="dict(type='UnlabeledFolderDataset', data_root='{pool}', ann_file='{pool}/list.txt')",
    split="dict(ann_file='{pool}/names.txt', data_prefix=dict(img_path='{pool}'))",
)
# The labels-only training, then what makes it semi-supervised.
PLAIN = """
_base_ = '{root}/configs/supervised/unet_synthetic_2pct.py'
labeled = dict(
    type='SyntheticDefectDataset',
    data_root='{data}',
    ann_file='labeled.txt',
    data_prefix=dict(img_path='images', seg_map_path='annotations'),
    pipeline=_base_.train_pipeline,
)
train_dataloader = dict(num_workers={workers}, dataset=dict(_delete_=True, **labeled))
val_dataloader = dict(dataset=dict(data_root='{data}', ann_file='val.txt'))
test_dataloader = val_dataloader
custom_hooks = [dict(type='StartMeter')]
"""
SEMI = """
_base_ = ['{data}/plain.py', '{root}/configs/_base_/semi/simeps.py']
model = dict(_delete_=True, branch=_base_.model, **_base_.semi_model)
train_dataloader = dict(
    batch_size=8,
    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled=4, num_unlabeled=4),
    dataset=dict(_delete_=True, type='LabeledUnlabeledDataset', labeled=_base_.labeled, unlabeled={unlabeled}),
)
custom_hooks = [dict(type='StartMeter'), *_base_.semi_hooks]
"""


class Started(BaseException):
    """Ends a training when its first batch is there."""


@HOOKS.register_module()
class StartMeter(Hook):
    """Ends a training at its first step with what it took to get there."""

    priority = 'LOWEST'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> NoReturn:
        raise Started(dict(peak_mib=peak_mib(), worker_mib=max(map(private_mib, children()), default=0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, nargs='+', default=[10_000, 100_000, 2_000_000])
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=KINDS)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--place', type=Path, default=Path('/dev/shm'), help='folder for the images')
    parser.add_argument('--start', help=argparse.SUPPRESS)  # a config, in a process of its own
    args = TABLE.parse(parser)
    if args.start:
        print(json.dumps(start(args.start)))
        return
    for images in args.images:
        with tempfile.TemporaryDirectory(prefix='list_scaling_', dir=args.place) as folder:
            data = Path(folder)
            write_data(data, images)
            write_configs(data, args.workers)
            plain = [started(data, 'plain') for _ in range(2)][1]
            for kind in args.kinds:
                for known in (False, True):
                    line = dict(what='list_scaling', images=images, named_by=kind, workers=args.workers, known=known)
                    line |= compared(started(data, kind), plain)
                    append(args.results, line)
                    print(json.dumps(line), flush=True)


def write_data(data: Path, images: int) -> None:
    """Eight labelled images, two for validation, and a pool of unlabelled ones with its lists."""
    generator = np.random.default_rng(0)

    def picture() -> Image.Image:
        return Image.fromarray(generator.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))

    for folder in ('images', 'annotations'):
        (data / folder).mkdir()
    names = [f'{index}' for index in range(10)]
    for name in names:
        picture().save(data / f'images/{name}.png')
        mask = generator.integers(0, 4, (SIZE, SIZE), dtype=np.uint8)
        Image.fromarray(mask).save(data / f'annotations/{name}.png')
    (data / 'labeled.txt').write_text('\n'.join(names[:8]) + '\n')
    (data / 'val.txt').write_text('\n'.join(names[8:]) + '\n')
    pool, original = data / 'pool', data / 'original.png'
    with_suffix, without = [], []
    for index in range(images):
        if index % LINKS_OF_A_FILE == 0:
            original.unlink(missing_ok=True)
            picture().save(original)
        folder = f'camera_{index // IMAGES_OF_A_FOLDER:03d}'
        if index % IMAGES_OF_A_FOLDER == 0:
            (pool / folder).mkdir(parents=True)
        name = f'{folder}/surface_{index:08d}'
        os.link(original, pool / f'{name}.png')
        without.append(name)
        with_suffix.append(f'{name}.png')
    (pool / 'list.txt').write_text('\n'.join(with_suffix) + '\n')
    (pool / 'names.txt').write_text('\n'.join(without) + '\n')


def write_configs(data: Path, workers: int) -> None:
    """``plain.py`` and one config for each way of naming the images."""
    (data / 'plain.py').write_text(PLAIN.format(root=ROOT, data=data, workers=workers))
    for kind, unlabeled in UNLABELED.items():
        text = SEMI.format(root=ROOT, data=data, unlabeled=unlabeled.format(pool=data / 'pool'))
        (data / f'{kind}.py').write_text(text)


def started(data: Path, config: str) -> dict:
    """Seconds and memory of a start, in a process of its own whose knowledge of sound files is in ``data``."""
    command = [sys.executable, __file__, '--start', str(data / f'{config}.py')]
    environment = {**os.environ, 'XDG_CACHE_HOME': str(data / f'cache_{config}'), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f'{config} did not start:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}')
    return json.loads(done.stdout.splitlines()[-1])


def start(config: str) -> dict:
    """Train a config until its first step; the time does not count what was imported before."""
    begin, cpu = time.perf_counter(), time.process_time()
    try:
        train(config, work_dir=str(Path(config).with_suffix('')))
    except Started as end:
        return dict(seconds=time.perf_counter() - begin, cpu_seconds=time.process_time() - cpu, **end.args[0])
    raise SystemExit('the training ended without a step')


def compared(found: dict, plain: dict) -> dict:
    """Seconds of a start, and all of it less what labels only take."""
    beyond = {f'{name}_beyond_plain': round(found[name] - plain[name], 2) for name in found}
    return dict(seconds=round(found['seconds'], 2), **beyond)


def peak_mib() -> int:
    """Resident at most, of this process."""
    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024


def children() -> list[int]:
    """Processes of this one that load data."""
    return [int(one) for task in Path('/proc/self/task').iterdir() for one in (task / 'children').read_text().split()]


def private_mib(process: int) -> int:
    """Memory that a process shares with no other."""
    lines = Path(f'/proc/{process}/smaps_rollup').read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith('Private_')) // 1024


def markdown(lines: Sequence[dict]) -> str:
    """One row per number of images and way of naming them, of the last line of its first start and of its second."""
    newest = {(line['images'], line['named_by'], line['known']): line for line in lines}
    rows = [
        '| unlabelled images | named by a | first start, s | again, s | memory, MiB | of a worker process, MiB |',
        '|---|---|---|---|---|---|',
    ]
    for (images, named_by, known), again in sorted(newest.items()):
        if known:
            first = newest[images, named_by, False]
            cells = [
                *(f'{line["seconds_beyond_plain"]:.1f}' for line in (first, again)),
                *(
                    f'{max(line[f"{key}_mib_beyond_plain"] for line in (first, again)):.0f}'
                    for key in ('peak', 'worker')
                ),
            ]
            rows.append(f'| {images:,} | {named_by} | {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('list_scaling', 'performance.md', markdown)

if __name__ == '__main__':
    main()
