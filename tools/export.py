"""A trained branch as a plain MMSeg checkpoint, ONNX or TorchScript; all branches as ONNX or TorchScript."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export a checkpoint so that it runs without this package')
    parser.add_argument('checkpoint', help='checkpoint file of a training')
    parser.add_argument(
        '--branch', default='best', help='best (by the recorded validation), a number, or ensemble; default best'
    )
    parser.add_argument('--config', help='config of the training; default: the one inside the checkpoint')
    parser.add_argument('-o', '--out', help='file to write; default: beside the checkpoint, named after the branch')
    parser.add_argument(
        '--format',
        choices=['pth', 'onnx', 'torchscript'],
        help='pth: checkpoint and config for MMSegmentation; default: by the suffix of --out, or pth',
    )
    parser.add_argument(
        '--size', nargs=2, type=int, metavar=('H', 'W'), help='size of the images of a graph; default: that of the test'
    )
    parser.add_argument('--input-type', choices=['uint8', 'float32'], default='uint8', help='of the images of a graph')
    parser.add_argument('--images', help='folder of images to compare on; default: the validation set of the config')
    parser.add_argument(
        '--bound', type=float, help='largest difference of the logits; default 1e-3, for pth 1e-5', metavar='X'
    )
    parser.add_argument(
        '--student', action='store_true', help='the branch itself, although its moving average is what predicts'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace a file of that name')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.export import export
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(
        lambda: export(
            args.checkpoint,
            branch=args.branch,
            config=args.config,
            out=args.out,
            kind=args.format,
            size=args.size,
            images=args.images,
            student=args.student,
            bound=args.bound,
            input_type=args.input_type,
            overwrite=args.overwrite,
        )
    )


if __name__ == '__main__':
    sys.exit(main())
