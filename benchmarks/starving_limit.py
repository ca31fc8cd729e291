"""How often perfect pseudo-labels would be called starving: the share of random splits, by limit.

A class starves where its share of the pseudo-labels is below a fraction of its share of the labels. Labelled images are a
sample, and so are the unlabelled ones of an interval. Here the true labels take the place of the pseudo-labels.

    python benchmarks/starving_limit.py data/magnetic_tile --percents 1 5 10
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

INTERVAL = 50 * 8  # unlabelled images of one interval: 50 iterations of 8


def pixel_counts(root: Path, split: str, num_classes: int) -> np.ndarray:
    """Pixels of each class in each image of the training pool, shape (n, C) float64."""
    lists = [root / f'splits/seed0/{split}_{part}.txt' for part in ('labeled', 'unlabeled')]
    names = sorted(name for file in lists for name in file.read_text().split())
    masks = (np.asarray(Image.open(root / f'annotations/{name}.png')).ravel() for name in names)
    return np.array([np.bincount(mask, minlength=256)[:num_classes] for mask in masks], float)


def ratios(counts: np.ndarray, labeled: int, generator: np.random.Generator) -> np.ndarray:
    """Share of each foreground class among unlabelled over labelled images, (C - 1,); NaN where no label shows it."""
    order = generator.permutation(len(counts))
    labels, rest = counts[order[:labeled]].sum(axis=0), counts[order[labeled:]]
    seen = rest[generator.integers(0, len(rest), INTERVAL)].sum(axis=0)
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = (seen / seen.sum()) / (labels / labels.sum())
    return np.where(np.isfinite(ratio), ratio, np.nan)[1:]


def main() -> None:
    """Print one line per share of labels and limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='a prepared data set')
    parser.add_argument('--num-classes', type=int, default=6)
    parser.add_argument('--percents', type=float, nargs='+', default=[1, 5, 10])
    parser.add_argument('--limits', type=float, nargs='+', default=[0.5, 0.25])
    parser.add_argument('--splits', type=int, default=1000)
    args = parser.parse_args()
    counts = pixel_counts(args.root, '10pct', args.num_classes)
    generator = np.random.default_rng(0)
    for percent in args.percents:
        labeled = max(2, round(len(counts) * percent / 100))
        found = np.array([ratios(counts, labeled, generator) for _ in range(args.splits)])
        for limit in args.limits:
            below = [np.mean(own[~np.isnan(own)] < limit) for own in found.T]
            print(f'{percent:g} % ({labeled} images), below {limit:g}:', *(f'{share:.1%}' for share in below))


if __name__ == '__main__':
    main()
