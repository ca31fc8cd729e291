"""What commands that read every image take per image where there are many: does it stay the same?

    python benchmarks/many_images.py --images 100 1000 10000
    python benchmarks/many_images.py --update                # the table of docs/performance.md

The three small U-Nets of configs/simeps/unet_synthetic_2pct.py with random weights, noise of 64 x 64 pixels, one process. For
check_dataset all images but eight are the unlabelled ones of that config. The time is that of the whole call, with the
loading of the model and the files that it writes, after a first call with few images. One JSON line for each number of images.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

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
from simeps_mmseg.apis.check_dataset import check_dataset
from simeps_mmseg.apis.demo import CONFIGS, SEMI, data_options
from simeps_mmseg.apis.predict import predict
from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.utils.configs import load_config

CONFIG = str(ROOT / 'configs/simeps/unet_synthetic_2pct.py')
SIZE = 64
IMAGES, MASKS, SPLITS = 'images/training', 'annotations/training', 'splits/seed0'
LABELED, VALIDATED = 6, 2  # of the images; those of validation are tested on, too


def check(root: Path, checkpoint: Path) -> None:
    """Open all files of a data root; what is found sound is kept there, not in the user's cache."""
    with patch.dict(os.environ, XDG_CACHE_HOME=str(root / 'cache')):
        check_dataset(CONFIG, data_options(CONFIGS[SEMI], root), workers=0)


def predict_folder(root: Path, checkpoint: Path) -> None:
    predict(CONFIG, str(checkpoint), str(root / IMAGES), str(root / 'predicted'))


def rank_folder(root: Path, checkpoint: Path) -> None:
    """Without near-duplicates: to random weights any noise resembles any other. See selection_scaling.py."""
    rank_unlabeled(CONFIG, str(checkpoint), str(root / IMAGES), str(root / 'ranked'), similarity=1.0)


CALLS: dict[str, Callable[[Path, Path], None]] = dict(
    predict=predict_folder, rank_unlabeled=rank_folder, check_dataset=check
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, nargs='+', default=[100, 1_000])
    args = TABLE.parse(parser)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = untrained(Path(folder) / 'untrained.pth')
        milliseconds(checkpoint, 2 * (LABELED + VALIDATED))
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
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        root = make_data(Path(folder), images)
        for name, call in CALLS.items():
            start = time.perf_counter()
            with redirect_stdout(StringIO()):
                call(root, checkpoint)
            found[name] = round(1000 * (time.perf_counter() - start) / images, 2)
    return found


def make_data(root: Path, images: int) -> Path:
    """A data root of the config: noise, masks of the first images, and the lists of its parts."""
    generator = np.random.default_rng(0)
    names = [f'{index:06d}' for index in range(images)]
    for folder in (IMAGES, MASKS, SPLITS):
        (root / folder).mkdir(parents=True)
    for index, name in enumerate(names):
        noise = generator.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / IMAGES / f'{name}.png')
        if index < LABELED + VALIDATED:
            mask = generator.integers(0, 4, (SIZE, SIZE), dtype=np.uint8)
            Image.fromarray(mask).save(root / MASKS / f'{name}.png')
    validated = names[LABELED : LABELED + VALIDATED]
    parts = {
        f'{SPLITS}/2pct_labeled.txt': names[:LABELED],
        f'{SPLITS}/2pct_unlabeled.txt': names[LABELED + VALIDATED :],
        f'{SPLITS}/val.txt': validated,
        'splits/test.txt': validated,
    }
    for path, listed in parts.items():
        (root / path).write_text(''.join(f'training/{name}\n' for name in listed))
    return root


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
