"""All that is known of a training, in one HTML file."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Warnings in plain words, scores, curves, images, similarity maps, pseudo-label health and what to '
        'label next, in one HTML file that needs no network'
    )
    parser.add_argument('work_dir', help='work folder of a training, finished or not')
    parser.add_argument('-o', '--out', help='the file (default: report.html in the work folder)')
    parser.add_argument('--checkpoint', help='weights (default: the best by validation, else the last)')
    parser.add_argument('--split', choices=('val', 'test'), default='val', help='images that are scored (default: val)')
    parser.add_argument('--images', type=int, default=200, help='at most so many of them; 0: all (default: 200)')
    parser.add_argument('--unlabeled', type=int, default=100, help='unlabelled images to rank; 0: none (default: 100)')
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda:0 (default: cpu)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.report import report
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(
        lambda: report(
            args.work_dir,
            args.out,
            args.checkpoint,
            args.split,
            args.images,
            args.unlabeled,
            args.device,
            args.cfg_options,
        )
    )


if __name__ == '__main__':
    sys.exit(main())
