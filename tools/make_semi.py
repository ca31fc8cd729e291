"""Turn a supervised MMSeg config into a semi-supervised one."""

import sys

from simeps_cli import Command

main = Command('make_semi', named=('unlabeled', 'out'))

if __name__ == '__main__':
    sys.exit(main())
