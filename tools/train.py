"""Train a config; the command line is that of MMSeg's own tools/train.py."""

import sys

from simeps_cli import Command

main = Command(
    'train',
    without=dict(check='Open only the first few images and masks of each part before training, in place of all.'),
    after_interruption='; continue with --resume',
)

if __name__ == '__main__':
    sys.exit(main())
