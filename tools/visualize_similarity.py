"""Similarity maps of a batch for each branch, or their distance over a training, as PNG and PDF."""

import sys

from simeps_cli import Command

main = Command('visualize_similarity', positional=('config', 'checkpoint'))

if __name__ == '__main__':
    sys.exit(main())
