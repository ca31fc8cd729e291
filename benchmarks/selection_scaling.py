"""What finding near-duplicates among n images costs: seconds, memory, and pairs of images whose features are compared.

    python benchmarks/selection_scaling.py --images 300 3000 30000
    python benchmarks/selection_scaling.py --update                # the table of docs/performance.md

The features are generated as those of a material look: a large common part, some twenty things in which images differ, noise,
and a tenth of the images repeated with small changes. Their width is that of three U-Nets. One JSON line for each number of
images.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import ResultsTable, markdown_table
from benchmarks.results import append
from simeps_mmseg.datasets.selection import NEAR_DUPLICATE, Thinning

WIDTH = 3 * 256 * 4 * 4  # branches, channels of the deepest features, cells of the grid
DIFFERENCES = 20
REPEATED = 0.1
BLOCK = 256  # images that are generated at a time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, nargs='+', default=[300, 3_000, 30_000])
    parser.add_argument('--width', type=int, default=WIDTH, help='of the features')
    args = TABLE.parse(parser)
    for images in args.images:
        features = generated_features(images, args.width)
        before, start = resident_mib('VmRSS'), time.perf_counter()
        thinning = Thinning(features, NEAR_DUPLICATE)
        repeats = thinning.thin(range(images))
        line = dict(what='selection_scaling', images=images, width=args.width)
        line |= dict(
            seconds=round(time.perf_counter() - start, 2),
            features_mib=features.nbytes // 2**20,
            beyond_features_mib=resident_mib('VmHWM') - before,
            comparisons=thinning.comparisons,
            of_all_pairs=round(thinning.comparisons / (images * (images - 1) / 2), 4),
            repeats=int((repeats >= 0).sum()),
        )
        append(args.results, line)
        print(json.dumps(line), flush=True)


def generated_features(images: int, width: int, seed: int = 0) -> NDArray[np.float16]:
    """Features of a material, shape (images, width)."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(DIFFERENCES, width)).astype(np.float32) / DIFFERENCES
    features = np.empty((images, width), np.float16)
    for start in range(0, images, BLOCK):
        block = features[start : start + BLOCK]
        differing = generator.normal(size=(len(block), DIFFERENCES)).astype(np.float32)
        block[:] = 1 + differing @ shared + 0.01 * generator.normal(size=block.shape)
    for index in generator.permutation(images)[: int(REPEATED * images)]:
        original = features[generator.integers(images)]
        features[index] = original * (1 + 0.01 * generator.normal(size=width))
    return features


def resident_mib(name: str) -> int:
    """Memory of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    return int(Path('/proc/self/status').read_text().split(f'{name}:')[1].split()[0]) // 1024


def markdown(lines: Sequence[dict]) -> str:
    """One row per number of images: its last line."""
    newest = {line['images']: line for line in lines}
    head = [
        'images',
        'seconds',
        'features in a file, MiB',
        'memory beyond these, MiB',
        'pairs whose features are compared',
    ]
    rows = [
        [
            f'{images:,}',
            f'{line["seconds"]:.1f}',
            f'{line["features_mib"]:,}',
            f'{line["beyond_features_mib"]:,}',
            f'{line["comparisons"]:,} ({100 * line["of_all_pairs"]:.3g} %)',
        ]
        for images, line in sorted(newest.items())
    ]
    return markdown_table(head, rows) + '\n'


TABLE = ResultsTable('selection_scaling', 'performance.md', markdown)

if __name__ == '__main__':
    main()
