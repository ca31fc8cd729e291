"""Prepare a public set from its downloaded folder: ``python -m benchmarks.public_sets NAME FOLDER --data-root data``."""

import argparse
import sys

from simeps_mmseg.utils import report_user_errors

from . import READERS
from .prepare import prepare_public


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.public_sets', description=__doc__)
    parser.add_argument('name', choices=sorted(READERS))
    parser.add_argument('source', help='the downloaded folder or archive')
    parser.add_argument('--data-root', default='data', help='parent of the data set folder (default: data)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='seeds of the splits')
    parser.add_argument(
        '--fractions', type=float, nargs='+', default=[], help='percentages of labels beside 1 5 10 20 30 50'
    )
    parser.add_argument('--val-fraction', type=float, default=0.15, help='share of training for validation')
    parser.add_argument(
        '--allow-other-counts', action='store_true', help='accept a part of the data set, or a changed one'
    )
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    return report_user_errors(lambda: prepare_public(**vars(args)))


if __name__ == '__main__':
    sys.exit(main())
