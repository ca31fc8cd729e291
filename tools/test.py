"""Evaluate a checkpoint on the test set; the command line is that of MMSeg's own tools/test.py."""

import sys

from simeps_cli import Command

main = Command('test')

if __name__ == '__main__':
    sys.exit(main())
