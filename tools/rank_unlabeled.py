"""Which images to label next, by the disagreement of the branches."""

import sys

from simeps_cli import Command

main = Command('rank_unlabeled', after_interruption='; the same command continues')

if __name__ == '__main__':
    sys.exit(main())
