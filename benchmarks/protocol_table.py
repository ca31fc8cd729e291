"""Print a short table of the runs of one protocol of compare.py, in Markdown; docs/results.md has them all (results_page.py).

python benchmarks/protocol_table.py                     # those of protocol tiny on NEU-Seg
python benchmarks/protocol_table.py --results mine.jsonl
"""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.protocols import protocol_of
from benchmarks.results import NAMES, mean_branch, rank, read, shipped

COLUMNS = {'mIoU_image': 'per-image mIoU', 'mIoU_fg': 'foreground mIoU', 'mIoU': 'mIoU'}
VARIED = ('method', 'percent', 'seed')  # what may differ between the lines of one table
SHOWN = dict(protocol='tiny', dataset='neu', model='unet', options=[])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, nargs='+', default=shipped())
    args = parser.parse_args()
    print(markdown(shown(read(args.results))))


def shown(lines: list[dict]) -> list[dict]:
    """Those of the table: methods as they are, under one protocol."""
    return [line for line in lines if {**line['run'], 'protocol': protocol_of(line['run'])}.items() >= SHOWN.items()]


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
        rows.append(row(labels, method, [run['last']['test'] for run in runs]))
        several = [run['last']['test'] for run in runs if 'branch_0.mIoU' in run['last']['test']]
        if several:
            alone = [{key: mean_branch(scores, key) for key in COLUMNS} for scores in several]
            rows.append(row(labels, f'{method}, one branch alone', alone))
    return '\n'.join(rows) + '\n'


def row(labels: str, method: str, scores: list[dict]) -> str:
    cells = [spread([score[key] for score in scores]) for key in COLUMNS]
    return f'| {labels} | {method} | {len(scores)} | {" | ".join(cells)} |'


def spread(values: list[float]) -> str:
    """Mean and standard deviation; only the value where there is one."""
    mean = f'{statistics.mean(values):.1f}'
    return f'{mean} ± {statistics.stdev(values):.1f}' if len(values) > 1 else mean


if __name__ == '__main__':
    main()
