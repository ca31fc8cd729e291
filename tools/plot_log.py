"""Training logs as curves, as PNG and PDF."""

import sys

from simeps_cli import Command

main = Command('plot_log')

if __name__ == '__main__':
    sys.exit(main())
