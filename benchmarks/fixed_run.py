"""Print the losses and scores of short seeded trainings on generated images, to the last digit.

    python benchmarks/fixed_run.py > before.txt         # in one checkout
    python benchmarks/fixed_run.py > after.txt          # in another, on the same machine, with the same packages
    diff before.txt after.txt

Two checkouts that compute the same print the same lines: for each method the losses of every step, the scores of each
validation and of the test set, the shares of the pseudo-labels, and the number of parameters. A change that is meant to leave
the training as it is shows it that way. On another machine or with another PyTorch the last digits differ.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import compare
from benchmarks.results import lines_of
from simeps_mmseg.apis.prepare_data import prepare_data

DATASET, PERCENT = 'synthetic', 10
OPTIONS = ['default_hooks.logger.interval=1', 'log_processor.window_size=1']  # each step, not a mean of several
COMPARED = (
    'last',
    'validations',
    'pseudo_labels',
    'parameters',
)  # parts of a run's line; the others are time and place


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--methods', nargs='+', default=['supervised', 'simeps', 'simeps_plus'], help='folders of configs/'
    )
    parser.add_argument('--iters', type=int, default=16, help='steps of a training')
    parser.add_argument('--size', type=int, default=64, help='height and width of the images')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--precision', choices=compare.PRECISIONS, default='float32')
    parser.add_argument('--device', choices=('auto', 'cpu'), default='cpu')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with contextlib.redirect_stdout(sys.stderr):
            prepare_data(DATASET, data_root=folder, fractions=[PERCENT], num_train=40, num_test=6, size=args.size)
            code = train(args, folder)
        if code == 0:
            for text in lines(folder):
                print(text)
    return code


def train(args: argparse.Namespace, folder: Path) -> int:
    """Train each method below a folder; exit code of the driver."""
    values: dict[str, object] = {
        'protocol': 'tiny',
        'datasets': DATASET,
        'fractions': PERCENT,
        'seeds': args.seed,
        'iters': args.iters,
        'size': args.size,
        'precision': args.precision,
        'device': args.device,
        'threads': 1,
        'workers': 0,
        'data-root': folder,
        'work-dir': folder / 'runs',
        'results': folder / 'results.jsonl',
    }
    words = [word for key, value in values.items() for word in (f'--{key}', str(value))]
    code = compare.main([*words, '--methods', *args.methods, '--cfg-options', *OPTIONS])
    if code:
        for log in sorted(folder.glob('runs/*/log.txt')):
            print(log.read_text(errors='replace')[-3000:])
    return code


def lines(folder: Path) -> Iterator[str]:
    """What is compared, one line for each step and each part, methods in alphabetical order."""
    for line in sorted(lines_of(folder / 'results.jsonl'), key=lambda line: line['run']['method']):
        method = line['run']['method']
        (log,) = (folder / 'runs').glob(f'*{compare.name_of(line["run"])}/*/vis_data/scalars.json')
        for step in lines_of(log):
            losses = {key: value for key, value in step.items() if 'loss' in key}
            if losses:
                yield f'{method} {step["step"]} {json.dumps(losses, sort_keys=True)}'
        for key in COMPARED:
            yield f'{method} {key} {json.dumps(line[key], sort_keys=True)}'


if __name__ == '__main__':
    sys.exit(main())
