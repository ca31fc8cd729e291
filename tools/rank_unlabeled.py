"""Which images to label next, by the disagreement of the branches."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Rank unlabelled images by how much labelling them would teach')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file of a model with two branches or more')
    parser.add_argument('folder', help='images; with --split-in what the names in the split start from')
    parser.add_argument('-o', '--out', default='ranking', help='folder for list and contact sheet (default: ranking)')
    parser.add_argument('--count', type=int, metavar='N', help='images to move with --split-out')
    parser.add_argument(
        '--similarity',
        type=float,
        default=0.999,
        metavar='X',
        help='cosine of the features above which images are near-duplicates; 1: none; default 0.999',
    )
    parser.add_argument(
        '--split-in',
        metavar='PREFIX',
        help='rank the images of PREFIX_unlabeled.txt only; beside it PREFIX_labeled.txt',
    )
    parser.add_argument('--split-out', metavar='PREFIX', help='write a split with the first N images labelled')
    parser.add_argument('--sheet', type=int, default=24, metavar='N', help='images on the contact sheet; default 24')
    parser.add_argument('--device', default='cpu', help='such as cuda:0; default cpu')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(
        lambda: rank_unlabeled(
            args.config,
            args.checkpoint,
            args.folder,
            args.out,
            count=args.count,
            similarity=args.similarity,
            split_in=args.split_in,
            split_out=args.split_out,
            sheet=args.sheet,
            device=args.device,
            options=args.cfg_options,
        )
    )


if __name__ == '__main__':
    sys.exit(main())
