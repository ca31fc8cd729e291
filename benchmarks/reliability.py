"""What was tried and what held, in one table: an audit of the first version, and today's catalogue. For docs/reliability.md.

python benchmarks/reliability.py    # writes the table from the lines of faults.py, kills.py and soak.py
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import kills
from benchmarks.faults import newest
from benchmarks.pages import DOCS, update
from benchmarks.results import RESULTS, lines_of

PAGE = DOCS / 'reliability.md'
BEGIN = '<!-- benchmarks/reliability.py -->\n'
STACKS = {'onedl-mmengine': 'OneDL', 'mmengine': 'stock OpenMMLab'}
NOT_YET = ('not yet measured', '')


class Row(NamedTuple):
    """A kind of what can go wrong.

    Attributes:
        name: In words.
        tried: Of the audit.
        held: Of the audit.
        kind: Of ``benchmarks/faults.py``; None where another script counts.
    """

    name: str
    tried: str
    held: str
    kind: str | None = None


KILLS = Row('trainings that are killed (SIGKILL)', '25, by 30 kills', '22 end, 0 with the same weights')
SIGNALS = Row('trainings that are told to stop (SIGTERM, SIGHUP)', '-', '-')
SOAK = Row('a long training: memory, files, time per step', '3,000 steps', 'flat')
FAULTS = (
    Row('interruptions and stop signals, in the test suite', '-', '-', 'interruptions'),
    Row('faults of checkpoints and work folders', '35', '23', 'checkpoints and work folders'),
    Row('numbers that are not finite', '6 trainings', '2', 'numbers that are not finite'),
    Row('kinds of bad data', '72', '50 by `check_dataset`, 16 by `train`', 'bad data'),
    Row('odd configs', '106', '68', 'odd configs'),
    Row('attacks', '60', '40', 'attacks'),
    Row('situations from public bug reports; silent faults', '27', '12', 'silent faults'),
)


def markdown(faults: Sequence[dict], killed: Sequence[dict], soaked: Sequence[dict]) -> str:
    """One row per kind: tried and held in the audit, tried and held today."""
    rows = ['| | audit: tried | held | today: tried | held |', '|---|---|---|---|---|']
    rows.append(line_of(KILLS, *killed_today([one for one in killed if one['signals'] == ['KILL']])))
    rows.append(line_of(SIGNALS, *killed_today([one for one in killed if one['signals'] != ['KILL']])))
    today = newest(faults)
    for row in FAULTS:
        own = [line for line in today if line['kind'] == row.kind]
        counts = (by_stack(own, 'tried'), by_stack(own, 'held')) if own else NOT_YET
        rows.append(line_of(row, *counts))
    longest = max((line['iters'] for line in soaked), default=0)
    rows.append(line_of(SOAK, *((f'{longest:,} steps', 'see below') if longest else NOT_YET)))
    return '\n'.join(rows) + '\n'


def by_stack(lines: Sequence[dict], key: str) -> str:
    """A number, or that of each stack where there are several."""
    if len({line[key] for line in lines}) == 1:
        return f'{lines[0][key]}{" on either stack" if len(lines) > 1 else ""}'
    return ', '.join(f'{line[key]} on {STACKS[line["stack"]]}' for line in lines)


def killed_today(lines: Sequence[dict]) -> tuple[str, str]:
    """How many trainings were interrupted how often, and how many of them ended as if they had not been."""
    if not lines:
        return NOT_YET
    counts = kills.summary(lines)
    return (
        f'{counts["trainings"]}, by {counts["kills"]} signals',
        f'{counts["finished"]} end, {counts["equal"]} with the same weights',
    )


def line_of(row: Row, tried: str, held: str) -> str:
    """A row of the table."""
    return f'| {row.name} | {row.tried} | {row.held} | {tried} | {held} |'


def of_results(folder: Path) -> str:
    """The table of what lies in a folder of results."""
    return markdown(*(lines_of(folder / f'{name}.jsonl') for name in ('faults', 'kills', 'soak')))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, default=RESULTS)
    args = parser.parse_args()
    update(PAGE, of_results(args.results), BEGIN)
    return 0


if __name__ == '__main__':
    sys.exit(main())
