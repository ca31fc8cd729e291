"""Training logs as curves, as PNG and PDF."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Losses by term and branch, weights, pseudo-label health, learning rate and scores of a training; '
        'several are laid over each other'
    )
    parser.add_argument('runs', nargs='+', metavar='WORK_DIR', help='work folder, folder of one start, or JSON file')
    parser.add_argument('--labels', nargs='+', help='names of the trainings (default: their folders)')
    parser.add_argument('--out', default='curves', help='path of the pictures without suffix (default: curves)')
    parser.add_argument('--dpi', type=int, default=150, help='pixels to the inch (default: 150)')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.plot_log import plot_log
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(lambda: plot_log(args.runs, args.labels, args.out, args.dpi))


if __name__ == '__main__':
    sys.exit(main())
