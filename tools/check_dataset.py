"""Look at every file that a config trains on or is scored on, and list every problem."""

import sys

from simeps_cli import Command

main = Command('check_dataset')

if __name__ == '__main__':
    sys.exit(main())
