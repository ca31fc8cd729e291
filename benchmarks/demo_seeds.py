"""The demo under several seeds: what the unlabelled images bring over the better of two labels-only networks, run by run.

    python benchmarks/demo_seeds.py --seeds 0 1 2 3 4 --results benchmarks/results/demo.jsonl

A seed is that of initialisation and of the order of the images; data and labels are those of the demo. One JSON line per
finished seed; seeds that are in the file are passed over. Scores are of the test set, with the weights best on validation.
Labels only is what simEps-plus starts from; *going on* is labels only from there for as many steps as simEps-plus.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mmseg
import torch

from benchmarks.gains import PAGE
from benchmarks.measuring import device_name, found_device
from benchmarks.one_run import config_hash
from benchmarks.pages import update
from benchmarks.results import RESULTS, append, kept, lines_of, mean_branch, spread
from simeps_mmseg.apis.demo import CONFIGS, LABELS_ONLY, PERCENT, SEMI, train_best
from simeps_mmseg.apis.prepare_data import prepare_data
from simeps_mmseg.utils import report_user_errors
from simeps_mmseg.utils.configs import load_config

DEMO = RESULTS / 'demo.jsonl'
SCORES = {'mIoU_fg': 'foreground IoU', 'mIoU_image': 'per-image mIoU'}
BEGIN = '<!-- benchmarks/demo_seeds.py -->\n'


def run_seed(seed: int, folder: Path) -> dict:
    """Train both stages of the demo under a seed; one line."""
    data = prepare_data('synthetic', data_root=folder / 'data', fractions=[PERCENT])
    circumstances, start = of_now(), time.monotonic()
    labels = train_best(LABELS_ONLY, folder / f'seed{seed}', data, seed=seed)
    semi = train_best(SEMI, folder / f'seed{seed}', data, seed=seed, start=labels.checkpoint)
    iters = semi.cfg.train_cfg.max_iters
    validate = [f'train_cfg.val_interval={semi.cfg.train_cfg.val_interval}']
    longer = train_best(LABELS_ONLY, folder / f'seed{seed}/going_on', data, iters, seed, labels.checkpoint, validate)
    return dict(
        seed=seed,
        labels_only=kept(labels.scores),
        going_on=kept(longer.scores),
        semi=kept(semi.scores),
        steps=[labels.cfg.train_cfg.max_iters, iters],
        best=[labels.checkpoint.name, semi.checkpoint.name],
        seconds=round(time.monotonic() - start, 1),
        **circumstances,
    )


def of_now() -> dict:
    """The circumstances of a run: device, configs of the demo and versions."""
    return dict(
        device=device_name(found_device()),
        config_hashes=config_hashes(),
        versions=dict(torch=torch.__version__, mmseg=mmseg.__version__),
    )


def config_hashes(options: Sequence[str] = ()) -> list[str]:
    """Of the two configs of the demo as they are, the semi-supervised one with options: which lines are of these."""
    labels_only, semi = (CONFIGS[name] for name in (LABELS_ONLY, SEMI))
    return [config_hash(load_config(labels_only)), config_hash(load_config(semi, options))]


def summary(lines: list[dict]) -> str:
    """A table in Markdown, over the seeds: labels only, going on, all branches, one alone, and what one gains over
    the better of the two.
    """
    rows = [
        '| test set, % | labels only | going on | simEps-plus | one branch alone | gain | least gain |',
        '|---|---|---|---|---|---|---|',
    ]
    for key, name in SCORES.items():
        before, longer, after = ([line[part][key] for line in lines] for part in ('labels_only', 'going_on', 'semi'))
        alone = [mean_branch(line['semi'], key) for line in lines]
        gains = [one - max(labels) for *labels, one in zip(before, longer, alone)]
        cells = [*map(spread, (before, longer, after, alone, gains)), f'{min(gains):+.1f}']
        rows.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'


def read(path: Path) -> list[dict]:
    """The lines of a file, in the order of the seeds."""
    return sorted(lines_of(path), key=lambda line: line['seed'])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument('--results', type=Path, default=DEMO)
    parser.add_argument('--update', action='store_true', help='write the table into docs/gains.md')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/demo_seeds'))
    args = parser.parse_args()

    def run() -> None:
        for seed in args.seeds:
            if seed not in {line['seed'] for line in read(args.results)}:
                append(args.results, run_seed(seed, args.folder))
        table = summary(read(args.results))
        if args.update:
            update(PAGE, table, BEGIN)
        print(table)

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
