"""How many images a second come out of the training loader, by number of workers: is the network or the loader the limit?

    python benchmarks/loader_speed.py --data-root data --workers 0 1 4 --cache-bytes 0 4294967296 --step
    python benchmarks/loader_speed.py --update                     # the table of docs/performance.md

The loader is that of a config, with its images and augmentation; with ``--cache-bytes`` above 0 every image was decoded before
the time is taken. With ``--workers 0`` its line also has the rate per second of CPU time, which other work on the machine
leaves as it is. ``--step`` adds a line with the images a second that the training step takes when it waits for none. One JSON
line a number.
"""

import argparse
import copy
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import islice, product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS
from torch.utils.data import DataLoader

import simeps_mmseg  # noqa: F401 - registers the components
from benchmarks.measuring import device_name, found_device
from benchmarks.pages import ResultsTable
from benchmarks.results import append
from simeps_mmseg.utils.config_tree import walk_dicts
from simeps_mmseg.utils.kept_memory import keep_freed_memory

CONFIG = ROOT / 'configs/simeps/dropout_unet_neu_10pct.py'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=Path, default=CONFIG)
    parser.add_argument('--data-root', type=Path, default=ROOT / 'data', help='folder that prepare_data.py wrote to')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 4])
    parser.add_argument('--cache-bytes', type=int, nargs='+', default=[0], help='of the data set; 0: no cache')
    parser.add_argument('--step', action='store_true', help='time the training step, too')
    parser.add_argument('--device', default=found_device(), help='of the step')
    parser.add_argument('--seconds', type=float, default=3.0, help='for each number')
    args = TABLE.parse(parser)
    init_default_scope('mmseg')
    device = device_name(args.device)
    if args.step:
        batches, images_per_batch = training_loader(args.config, args.data_root, 0)
        per_second = steps_per_second(args.config, next(iter(batches)), args.device, args.seconds)
        line = dict(what='step', config=args.config.stem, device=device)
        tell({**line, 'images_per_second': round(per_second * images_per_batch, 1)}, args.results)
    torch.set_num_threads(1)
    for workers, cache_bytes in product(args.workers, args.cache_bytes):
        batches, images_per_batch = training_loader(args.config, args.data_root, workers, cache_bytes)
        wall, cpu = rates(batches, args.seconds, before=batches_of_a_round(batches) if cache_bytes else 4)
        line = dict(what='loader', config=args.config.stem, device=device, workers=workers, cache_bytes=cache_bytes)
        line['images_per_second'] = round(wall * images_per_batch, 1)
        if workers == 0:
            line['images_per_core_second'] = round(cpu * images_per_batch, 1)
        tell(line, args.results)


def tell(line: dict, results: Path) -> None:
    """Print a line, and add it to a file."""
    append(results, line)
    print(json.dumps(line), flush=True)


def training_loader(config: Path, data_root: Path, workers: int, cache_bytes: int = 0) -> tuple[DataLoader, int]:
    """The loader of a config with that many workers, and its batch size."""
    cfg = Config.fromfile(config)
    for _, node in walk_dicts(cfg.train_dataloader):
        if 'data_root' in node:
            node['data_root'] = str(data_root / Path(node['data_root']).name)
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    if cache_bytes:
        cfg.train_dataloader.dataset.cache_bytes = cache_bytes
    return Runner.build_dataloader(cfg.train_dataloader, seed=0), cfg.train_dataloader.batch_size


def batches_of_a_round(loader: DataLoader) -> int:
    """Batches until each image of both sources was drawn, and those that workers have ahead."""
    sampler = loader.sampler
    shares = zip(sampler.sizes, (sampler.num_labeled, sampler.num_unlabeled))
    return max(math.ceil(size / share) for size, share in shares) + 2 * loader.num_workers


def steps_per_second(config: Path, batch: dict, device: str, seconds: float) -> float:
    """Training steps of a config's model on one batch, at full weight of all losses, after a first one."""
    keep_freed_memory()
    cfg = Config.fromfile(config)
    model = MODELS.build(cfg.model).to(device).train()
    if hasattr(model, 'set_rampup'):
        model.set_rampup(1.0)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)

    def step() -> float:
        model.train_step(copy.deepcopy(batch), optim_wrapper)
        if device != 'cpu':
            torch.cuda.synchronize()
        return time.perf_counter()

    now = start = step()
    count = 0
    while now - start < seconds:
        now = step()
        count += 1
    return count / (now - start)


def rates(batches: Iterable, seconds: float, before: int = 4) -> tuple[float, float]:
    """Batches per second of wall time, and of this process's CPU time, after a first few."""
    endless = iter(batches)
    for _ in islice(endless, before):
        pass
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        next(endless)
        count += 1
    return count / (time.perf_counter() - start), count / (time.process_time() - cpu)


def markdown(lines: Sequence[dict]) -> str:
    """For each config and machine a row for the step and one per number of workers, of the last lines."""
    rows = ['| | images a second | with all decoded images kept |', '|---|---|---|']
    newest = {
        (f'`{line["config"]}`, {line["device"]}', line.get('workers', -1), bool(line.get('cache_bytes'))): line
        for line in lines
    }
    for place, workers in sorted({key[:2] for key in newest}):
        found = (newest.get((place, workers, kept)) for kept in (False, True))
        cells = ' | '.join('' if line is None else f'{line["images_per_second"]:,.1f}' for line in found)
        rows.append(
            f'| {place}: {"the step alone" if workers < 0 else f"the loader, num_workers={workers}"} | {cells} |'
        )
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('loader_speed', 'performance.md', markdown)

if __name__ == '__main__':
    main()
