"""Run the catalogue of faults, and count by kind how many were tried and how many held: the table of docs/reliability.md.

    python benchmarks/faults.py                    # runs the tests, into benchmarks/results/faults.jsonl
    python benchmarks/faults.py --kinds attacks    # some of them
    python benchmarks/faults.py --update           # the table

A case is a test: one fault with the message, value or file that has to come of it. A kind leaves one line per stack.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.pages import ResultsTable
from benchmarks.results import append

STACKS = ('onedl-mmengine', 'mmengine')  # what mmengine is installed as
KINDS = {
    'interruptions': [
        *('tests/engine/test_interruption.py', 'tests/engine/test_stop_signals.py'),
        'tests/engine/test_other_processes.py',
    ],
    'checkpoints and work folders': ['tests/engine/test_checkpoints.py'],
    'numbers that are not finite': ['tests/engine/test_finite.py'],
    'bad data': ['tests/faults/test_data.py', 'tests/faults/test_names.py', 'tests/datasets/test_unreadable.py'],
    'odd configs': [
        'tests/faults/test_config.py',
        'tests/faults/test_module_names.py',
        'tests/utils/test_config_errors.py',
    ],
    'silent faults': ['tests/faults/test_silent.py'],
    'attacks': ['tests/attacks'],
}


class Outcomes:
    """A plugin of pytest that keeps what became of each test."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.held: list[str] = []
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test holds where its call passes; it fails wherever it does so."""
        if report.failed and report.nodeid not in self.failed:
            self.failed.append(report.nodeid)
        elif report.skipped:
            self.skipped.append(report.nodeid)
        elif report.when == 'call':
            self.held.append(report.nodeid)


def run(kind: str) -> dict:
    """Run the tests of a kind.

    Returns:
        The line: ``kind``, ``stack``, numbers of ``tried``, ``held`` and ``skipped``, and the names of what ``failed``.

    Raises:
        SystemExit: If they cannot be collected.
    """
    outcomes = Outcomes()
    code = pytest.main(['-q', '--no-header', *(str(ROOT / path) for path in KINDS[kind])], plugins=[outcomes])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f'{kind}: pytest ended with {code!r}')
    held = [name for name in outcomes.held if name not in outcomes.failed]
    return dict(
        kind=kind,
        stack=next(name for name in STACKS if name in {found.name for found in distributions()}),
        tried=len(held) + len(outcomes.failed),
        held=len(held),
        skipped=len(outcomes.skipped),
        failed=outcomes.failed,
    )


def newest(lines: Sequence[dict]) -> list[dict]:
    """The last line of each kind and stack, in the order of the kinds."""
    found = {(line['kind'], line['stack']): line for line in lines if line['kind'] in KINDS}
    return sorted(found.values(), key=lambda line: (list(KINDS).index(line['kind']), line['stack']))


def markdown(lines: Sequence[dict]) -> str:
    """One row per kind and stack."""
    rows = ['| kind | tests | stack | tried | held | what failed |', '|---|---|---|---|---|---|']
    for line in newest(lines):
        tests = ', '.join(f'`{path}`' for path in KINDS[line['kind']])
        failed = ', '.join(f'`{name.split("::", 1)[1]}`' for name in line['failed']) or 'none'
        rows.append(f'| {line["kind"]} | {tests} | {line["stack"]} | {line["tried"]} | {line["held"]} | {failed} |')
    return '\n'.join(rows) + '\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    args = TABLE.parse(parser)
    lines = []
    for kind in args.kinds:
        lines.append(run(kind))
        append(args.results, lines[-1])
        print(json.dumps(lines[-1]), flush=True)
    return int(any(line['failed'] for line in lines))


TABLE = ResultsTable('faults', 'reliability.md', markdown)

if __name__ == '__main__':
    sys.exit(main())
