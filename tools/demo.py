"""The main job on generated data: labels only, then simEps-plus from there, with a table, a picture and a report."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Labels only, then simEps-plus from there, on generated surfaces')
    parser.add_argument('--folder', default='demo', help='for data, checkpoints, picture and report (default: demo)')
    parser.add_argument('--iters', type=int, help='training steps in place of those in the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.demo import run_demo
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(lambda: run_demo(args.folder, args.iters))


if __name__ == '__main__':
    sys.exit(main())
