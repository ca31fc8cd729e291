"""Several trained methods side by side on the same images, as PNG and PDF."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Predictions of several methods side by side')
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='one for each checkpoint, or one for all')
    parser.add_argument('--checkpoints', nargs='+', required=True, help='checkpoint files, in the order of the configs')
    parser.add_argument('--labels', nargs='+', help='names of the columns (default: the folders of the checkpoints)')
    which = parser.add_mutually_exclusive_group()
    which.add_argument('--names', nargs='+', help='file names of the images')
    which.add_argument('--random', type=int, metavar='N', help='N images at random (default: 5)')
    which.add_argument('--best', type=int, metavar='N', help='the N images that --by does best, by per-image mIoU')
    which.add_argument('--worst', type=int, metavar='N', help='the N images that --by does worst')
    parser.add_argument('--by', metavar='LABEL', help='method that decides what is best and worst (default: the last)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the random choice')
    parser.add_argument('--split', choices=['test', 'val'], default='test', help='images of which set (default: test)')
    parser.add_argument('--errors', action='store_true', help='show errors by kind in place of classes')
    parser.add_argument('--colors', choices=['color_blind', 'dataset'], default='color_blind', help='palette')
    parser.add_argument('--out', default='comparison', help='path of the pictures without suffix (default: comparison)')
    parser.add_argument('--dpi', type=int, default=150, help='pixels to the inch (default: 150)')
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda:0 (default: cpu)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of all configs')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.compare_predictions import compare_predictions
    from simeps_mmseg.utils import report_user_errors

    counts = {choice: getattr(args, choice) for choice in ('random', 'best', 'worst')}
    choice, count = next(((key, value) for key, value in counts.items() if value is not None), ('random', 5))
    return report_user_errors(
        lambda: compare_predictions(
            args.configs,
            args.checkpoints,
            labels=args.labels,
            out=args.out,
            names=args.names,
            choice=choice,
            count=count,
            by=args.by,
            seed=args.seed,
            split=args.split,
            errors=args.errors,
            colors=args.colors,
            dpi=args.dpi,
            device=args.device,
            options=args.cfg_options,
        )
    )


if __name__ == '__main__':
    sys.exit(main())
