"""Segment images or videos: label maps, overlays, and a record of each image."""

import sys

from simeps_cli import Command

main = Command(
    'predict',
    named=('out',),
    without=dict(overlays='Leave out the images with the prediction painted on; masks and records are written.'),
    after_interruption='; the same command continues',
)

if __name__ == '__main__':
    sys.exit(main())
