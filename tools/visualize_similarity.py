"""Similarity maps of a batch for each branch, or their distance over a training, as PNG and PDF."""

import argparse
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='How similar the images of a batch are to each branch: at encoder, decoder and logits of a checkpoint, '
        'or with --log how far apart the branches were during a training'
    )
    parser.add_argument('config', nargs='?', help='config file; with --log only where it is not beside the log')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file')
    parser.add_argument('--log', metavar='WORK_DIR_OR_JSON', help='draw the distance of the maps over this training')
    parser.add_argument('--names', nargs='+', help='file names of the images of the batch')
    parser.add_argument('--count', type=int, default=8, help='size of the batch, evenly spaced images (default: 8)')
    parser.add_argument('--split', choices=['val', 'test'], default='val', help='images of which set (default: val)')
    parser.add_argument('--out', help='path of the pictures without suffix (default: similarity, or similarity_log)')
    parser.add_argument('--dpi', type=int, default=150, help='pixels to the inch (default: 150)')
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda:0 (default: cpu)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of the config')
    args = parser.parse_args()
    if args.log and args.checkpoint:
        parser.error('--log reads a log; it takes no checkpoint')
    if not args.log and not args.checkpoint:
        parser.error('give CONFIG and CHECKPOINT, or --log')
    return args


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.visualize_similarity import visualize_similarity, visualize_similarity_log
    from simeps_mmseg.utils import report_user_errors

    if args.log:
        out = args.out or 'similarity_log'
        return report_user_errors(
            lambda: visualize_similarity_log(args.log, out, config=args.config, dpi=args.dpi, options=args.cfg_options)
        )
    return report_user_errors(
        lambda: visualize_similarity(
            args.config,
            args.checkpoint,
            args.out or 'similarity',
            names=args.names,
            count=args.count,
            split=args.split,
            dpi=args.dpi,
            device=args.device,
            options=args.cfg_options,
        )
    )


if __name__ == '__main__':
    sys.exit(main())
