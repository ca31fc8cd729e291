"""The table of the runs of compare.py, in Markdown.

python benchmarks/table.py                    # print it
python benchmarks/table.py --update README.md # put it between the markers of a file
"""

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / 'results/small.jsonl'
BEGIN, END = '<!-- benchmarks/table.py -->\n', '<!-- end -->\n'
COLUMNS = {'mIoU_image': 'per-image mIoU', 'mIoU_fg': 'foreground mIoU', 'mIoU': 'mIoU'}
VARIED = ('method', 'percent', 'seed')  # what may differ between the lines of one table
NAMES = {'supervised': 'labels only', 'simeps': 'simEps'}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, default=RESULTS)
    parser.add_argument('--update', type=Path, metavar='FILE')
    args = parser.parse_args()
    table = markdown([json.loads(line) for line in args.results.read_text().splitlines() if line])
    if args.update:
        args.update.write_text(replaced(args.update.read_text(), table))
    else:
        print(table)


def replaced(text: str, table: str) -> str:
    """A text with the table between its markers."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table + END + rest.split(END, 1)[1]


def markdown(lines: list[dict]) -> str:
    """One row per experiment and predicting part; mean and spread over the seeds.

    Raises:
        ValueError: If the lines are of more than one protocol.
    """
    protocols = {
        json.dumps({key: value for key, value in line['run'].items() if key not in VARIED}, sort_keys=True)
        for line in lines
    }
    if len(protocols) > 1:
        raise ValueError(f'one table is for one protocol, the results have {sorted(protocols)}')
    groups = defaultdict(list)
    for line in lines:
        run = line['run']
        groups[run['percent'], rank(run['method']), run['method']].append(line)
    rows = [
        f'| labels | method | runs | {" | ".join(COLUMNS.values())} |',
        f'|---|---|---|{"---|" * len(COLUMNS)}',
    ]
    for (percent, _, name), runs in sorted(groups.items()):
        labels = f'{percent} % ({runs[0]["labeled"]} images)'
        method = NAMES.get(name, name)
        rows.append(row(labels, method, [run['test'] for run in runs]))
        branches = [
            {key: run['test'][f'branch_{k}.{key}'] for key in COLUMNS}
            for run in runs
            for k in range(3)
            if f'branch_{k}.mIoU' in run['test']
        ]
        if branches:
            rows.append(row(labels, f'{method}, one branch alone', branches, len(runs)))
    return '\n'.join(rows) + '\n'


def rank(method: str) -> int:
    """Known methods in their order, then the others."""
    return list(NAMES).index(method) if method in NAMES else len(NAMES)


def row(labels: str, method: str, scores: list[dict], runs: int | None = None) -> str:
    cells = [spread([score[key] for score in scores]) for key in COLUMNS]
    return f'| {labels} | {method} | {runs or len(scores)} | {" | ".join(cells)} |'


def spread(values: list[float]) -> str:
    """Mean and standard deviation; only the value where there is one."""
    mean = f'{statistics.mean(values):.1f}'
    return f'{mean} ± {statistics.stdev(values):.1f}' if len(values) > 1 else mean


if __name__ == '__main__':
    main()
