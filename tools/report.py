"""All that is known of a training, in one HTML file."""

import sys

from simeps_cli import Command

main = Command('report')

if __name__ == '__main__':
    sys.exit(main())
