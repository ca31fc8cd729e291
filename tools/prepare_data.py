"""Turn a downloaded data set into the layout and split files that the configs expect."""

import sys

from simeps_cli import Command

main = Command('prepare_data', positional=('source',))

if __name__ == '__main__':
    sys.exit(main())
