"""Look at every file that a config trains on or is scored on, and list every problem."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Check all images and masks of a config; exit code 1 on errors')
    parser.add_argument('config', help='config file, supervised or semi-supervised')
    parser.add_argument('--workers', type=int, help='processes; default: one per core')
    parser.add_argument('--limit', type=int, default=20, help='problems of a kind to print; 0 prints all (default: 20)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.check_dataset import check_dataset
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(
        lambda: check_dataset(args.config, options=args.cfg_options, workers=args.workers, limit=args.limit)
    )


if __name__ == '__main__':
    sys.exit(main())
