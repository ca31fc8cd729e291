"""What `predict` and `rank_unlabeled` take per image where there are many: does it stay the same?

    python benchmarks/many_images.py --images 100 1000
    python benchmarks/many_images.py --update                # the table of docs/performance.md

The three small U-Nets of configs/simeps/unet_synthetic_2pct.py with random weights, noise of 64 x 64 pixels, one process. The
time is that of the whole call, with the loading of the model and the files that it writes, after a first call with two images.
One JSON line for each number of images.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

from benchmarks.measuring import device_name, found_device
from benchmarks.pages import ResultsTable
from benchmarks.results import append
from simeps_mmseg.apis.predict import predict
from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.utils.configs import load_config

CONFIG = str(ROOT / 'configs/simeps/unet_synthetic_2pct.py')
SIZE = 64
CALLS: dict[str, Callable] = dict(predict=predict, rank_unlabeled=rank_unlabeled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, nargs='+', default=[100, 1_000])
    args = TABLE.parse(parser)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = untrained(Path(folder) / 'untrained.pth')
        milliseconds(checkpoint, 2)
        for images in args.images:
            line = dict(
                what='many_images',
                images=images,
                device=device_name(found_device()),
                milliseconds_per_image=milliseconds(checkpoint, images),
            )
            append(args.results, line)
            print(json.dumps(line), flush=True)


def untrained(path: Path) -> Path:
    """A checkpoint of the config with random weights."""
    cfg = load_config(CONFIG)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['a', 'b', 'c', 'd'], palette=[[0, 0, 0]] * 4))
    torch.save(dict(meta=meta, state_dict=MODELS.build(cfg.model).state_dict()), path)
    return path


def milliseconds(checkpoint: Path, images: int) -> dict[str, float]:
    """Time of each call over the number of images."""
    generator = np.random.default_rng(0)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / 'images'
        source.mkdir()
        for index in range(images):
            noise = generator.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(noise).save(source / f'{index:06d}.png')
        for name, call in CALLS.items():
            start = time.perf_counter()
            with redirect_stdout(StringIO()):
                call(CONFIG, str(checkpoint), str(source), str(Path(folder) / name))
            found[name] = round(1000 * (time.perf_counter() - start) / images, 2)
    return found


def markdown(lines: Sequence[dict]) -> str:
    """One row per number of images and device: the last line of each."""
    newest = {(line['device'], line['images']): line for line in lines}
    rows = [
        f'| milliseconds per image | {" | ".join(f"`{name}`" for name in CALLS)} |',
        f'|---|{"---|" * len(CALLS)}',
    ]
    for (device, images), line in sorted(newest.items()):
        cells = ' | '.join(f'{line["milliseconds_per_image"][name]:.1f}' for name in CALLS)
        rows.append(f'| {images:,} images, {device} | {cells} |')
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('many_images', 'performance.md', markdown)

if __name__ == '__main__':
    main()
