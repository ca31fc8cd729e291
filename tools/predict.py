"""Segment images or videos: label maps, overlays, and a record of each image."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Segment images or videos and record what is on them')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('input', help='image, video, folder (with those below it) or quoted glob pattern')
    parser.add_argument(
        '-o', '--out', required=True, help='folder for the results; what is recorded there is passed over'
    )
    parser.add_argument(
        '--min-area', type=int, default=1, metavar='PIXELS', help='smaller regions are no defects; default 1'
    )
    parser.add_argument('--every', type=int, default=1, metavar='N', help='take each n-th frame of a video; default 1')
    parser.add_argument('--no-overlays', action='store_true', help='write no painted images')
    parser.add_argument('--device', default='cpu', help='such as cuda:0; default cpu')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.predict import predict
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(
        lambda: predict(
            args.config,
            args.checkpoint,
            args.input,
            args.out,
            min_area=args.min_area,
            every=args.every,
            device=args.device,
            overlays=not args.no_overlays,
            options=args.cfg_options,
        ),
        after_interruption='; the same command continues',
    )


if __name__ == '__main__':
    sys.exit(main())
