"""Train a config; the command line is that of MMSeg's own tools/train.py."""

import argparse
import os
import sys


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a segmentor, supervised or semi-supervised')
    parser.add_argument('config', help='config file, such as configs/simeps/deeplabv3_neu_10pct.py')
    parser.add_argument(
        '--work-dir', help='folder for checkpoints and logs; default work_dirs/ and the name of the config'
    )
    parser.add_argument('--resume', action='store_true', help='continue from the last checkpoint in the work folder')
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on a GPU, bfloat16 on the CPU')
    parser.add_argument('--from-scratch', action='store_true', help='leave pretrained weights out')
    parser.add_argument('--no-check', action='store_true', help='do not open every image and mask before training')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='changes of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> int:
    args = parse_args()
    from simeps_mmseg.apis.train import train
    from simeps_mmseg.utils import report_user_errors

    return report_user_errors(
        lambda: train(
            args.config,
            work_dir=args.work_dir,
            resume=args.resume,
            amp=args.amp,
            from_scratch=args.from_scratch,
            options=args.cfg_options,
            launcher=args.launcher,
            check=not args.no_check,
        ),
        after_interruption='; continue with --resume',
    )


if __name__ == '__main__':
    sys.exit(main())
