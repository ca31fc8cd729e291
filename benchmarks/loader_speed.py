"""How many images a second come out of the training loader, by number of workers: is the network or the loader the limit?

    python benchmarks/loader_speed.py --data-root data --workers 0 1 4

The loader is that of a config, with its images and augmentation. With ``--workers 0`` its line also has the rate per second
of CPU time, which other work on the machine leaves as it is. One JSON line a number. What a step needs: images_per_second of
benchmarks/gpu_steps.py, or images per step over seconds_per_step of benchmarks/compare.py.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import simeps_mmseg  # noqa: F401 - registers the components
from benchmarks import results
from simeps_mmseg.utils.config_tree import walk_dicts

CONFIG = ROOT / 'configs/simeps/dropout_unet_neu_10pct.py'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, default=CONFIG)
    parser.add_argument('--data-root', type=Path, default=ROOT / 'data', help='folder that prepare_data.py wrote to')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 4])
    parser.add_argument('--seconds', type=float, default=3.0, help='for each number')
    parser.add_argument('--lines', type=Path, help='file that lines are added to')
    args = parser.parse_args()
    init_default_scope('mmseg')
    torch.set_num_threads(1)
    for workers in args.workers:
        batches, images_per_batch = training_loader(args.config, args.data_root, workers)
        wall, cpu = rates(batches, args.seconds)
        line = dict(what='loader', config=args.config.stem, workers=workers)
        line['images_per_second'] = round(wall * images_per_batch, 1)
        if workers == 0:
            line['images_per_core_second'] = round(cpu * images_per_batch, 1)
        if args.lines:
            results.append(args.lines, line)
        print(json.dumps(line), flush=True)


def training_loader(config: Path, data_root: Path, workers: int) -> tuple[Iterable, int]:
    """The loader of a config with that many workers, and its batch size."""
    cfg = Config.fromfile(config)
    for _, node in walk_dicts(cfg.train_dataloader):
        if 'data_root' in node:
            node['data_root'] = str(data_root / Path(node['data_root']).name)
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    return Runner.build_dataloader(cfg.train_dataloader, seed=0), cfg.train_dataloader.batch_size


def rates(batches: Iterable, seconds: float) -> tuple[float, float]:
    """Batches per second of wall time, and of this process's CPU time, after a first few that start the workers."""
    endless = iter(batches)
    for _ in islice(endless, 4):
        pass
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        next(endless)
        count += 1
    return count / (time.perf_counter() - start), count / (time.process_time() - cpu)


if __name__ == '__main__':
    main()
