"""Turn a downloaded data set into the layout and split files that the configs expect."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Prepare a data set under data/')
    datasets = parser.add_subparsers(dest='dataset', required=True, metavar='{neu,magnetic_tile,dagm,synthetic}')
    for name, title in (('neu', 'NEU-Seg'), ('magnetic_tile', 'Magnetic Tile'), ('dagm', 'DAGM 2007')):
        dataset = datasets.add_parser(name, help=title)
        dataset.add_argument('source', help='the downloaded archive, or the folder it unpacks to')
        dataset.add_argument(
            '--allow-other-counts', action='store_true', help='accept a part of the data set, or a changed one'
        )
        add_split_arguments(dataset)
    synthetic = datasets.add_parser('synthetic', help='generated surfaces; nothing is downloaded')
    synthetic.add_argument('--num-train', type=int, default=640, help='training images')
    synthetic.add_argument('--num-test', type=int, default=160, help='test images')
    synthetic.add_argument('--size', type=int, default=96, help='height and width in pixels')
    synthetic.add_argument('--image-seed', type=int, default=0, help='seed of the images')
    add_split_arguments(synthetic)
    return parser.parse_args()


def add_split_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--data-root', default='data', help='parent of the data set folder (default: data)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the splits; each has a folder of its own')
    parser.add_argument(
        '--fractions', type=float, nargs='+', default=[], help='percentages of labels beside 1 5 10 20 30 50'
    )
    parser.add_argument('--val-fraction', type=float, default=0.15, help='share of training for validation')
    parser.add_argument('--stratify', action='store_true', help='balance the splits by the classes present')


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.prepare_data import prepare_data
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(lambda: prepare_data(**vars(args)))


if __name__ == '__main__':
    sys.exit(main())
