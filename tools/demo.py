"""The main job on generated data: labels only, then simEps-plus from there, with a table, a picture and a report."""

import sys

from simeps_cli import Command

main = Command('demo', function='run_demo')

if __name__ == '__main__':
    sys.exit(main())
