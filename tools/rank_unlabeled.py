"""Which images to label next, by the disagreement of the branches."""

import sys

from simeps_cli import Command

main = Command('rank_unlabeled')

if __name__ == '__main__':
    sys.exit(main())
