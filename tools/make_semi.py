"""Turn a supervised MMSeg config into a semi-supervised one."""

import argparse
import sys
from pathlib import Path

METHODS = Path(__file__).resolve().parents[1] / 'configs/_base_/semi'


def parse_args() -> argparse.Namespace:
    names = sorted(path.stem for path in METHODS.glob('*.py') if path.stem != 'views')
    parser = argparse.ArgumentParser(description='Write a semi-supervised config that inherits a supervised one')
    parser.add_argument('config', help='supervised config: a file, or mmseg::fcn/... of the installed MMSegmentation')
    parser.add_argument('--unlabeled', required=True, metavar='DIR', help='folder of images; sub-folders are searched')
    parser.add_argument('-o', '--out', required=True, help='config to write')
    parser.add_argument(
        '--labeled',
        nargs='+',
        default=[],
        metavar='DIR_OR_LIST',
        help='restricts the labelled images to a list of names or a folder, one for each concatenated data set; '
        'default: the training set of the config',
    )
    parser.add_argument('--checkpoint', help='of the supervised config, trained: what every branch starts from')
    parser.add_argument('--method', default='simeps_plus', help=f'one of {", ".join(names)} (default: simeps_plus)')
    parser.add_argument('--suffixes', nargs='+', default=[], help='suffixes of the unlabelled images, such as .jpg')
    parser.add_argument('--overwrite', action='store_true', help='replace the config if it is there')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.make_semi import make_semi
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(lambda: make_semi(**vars(args)))


if __name__ == '__main__':
    sys.exit(main())
