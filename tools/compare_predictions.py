"""Several trained methods side by side on the same images, as PNG and PDF."""

import sys

from simeps_cli import Command

main = Command('compare_predictions', named=('checkpoints',))

if __name__ == '__main__':
    sys.exit(main())
