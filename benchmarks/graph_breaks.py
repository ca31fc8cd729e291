"""Where ``torch.compile`` leaves the graph in a training step: what it met there and why it left, counted.

    python benchmarks/graph_breaks.py                        # count; one JSON line
    python benchmarks/graph_breaks.py --update               # the table of docs/performance.md

The step is that of ``compile=True`` with the config simeps/unet_neu_10pct.py. Its graphs are made, on the CPU, and run as they
are. Numbers do not depend on the size of the images.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.registry import init_default_scope
from torch._dynamo.utils import counters

from benchmarks.pages import ResultsTable
from benchmarks.results import NAMES, append
from benchmarks.steps import Case, make_step

PACKAGES = ('simeps_mmseg', 'mmseg', 'mmengine', 'mmcv', 'torch')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--method', default='simeps', help='folder below configs/')
    args = TABLE.parse(parser)
    init_default_scope('mmseg')
    breaks = [dict(why=why, at=met, count=count) for (why, met), count in graph_breaks(args.method).most_common()]
    line = dict(method=args.method, torch=torch.__version__, breaks=breaks)
    append(args.results, line)
    print(json.dumps(line), flush=True)


def graph_breaks(method: str) -> Counter[tuple[str, str]]:
    """How often the step of a method leaves the graph, by the reason and what was met."""
    model, step = make_step(Case('unet', 32, 2, method, 'float32'), 'cpu')
    step()  # so that the optimiser has its moments
    model.train_step = torch.compile(model.train_step, backend='eager')
    step()
    found: Counter[tuple[str, str]] = Counter()
    for text, count in counters['graph_break'].items():
        found[described(text)] += count
    return found


def described(text: str) -> tuple[str, str]:
    """The reason in what PyTorch says of a break, and what was met: a file and line of the step, or a name.

    Example:
        >>> described('Dynamic shape operator\\n  Explanation: ...\\n  Developer debug context: aten.nonzero.default\\n')
        ('Dynamic shape operator', 'aten.nonzero.default')
    """
    reason = text.strip().splitlines()[0]
    place = re.search(r'File "(.+?)", line (\d+)', text)
    if place:
        return reason, f'{in_package(place[1])}:{place[2]}'
    context = re.search(r'Developer debug context: (.+)', text)
    met = re.sub(r'/[^\s`,)]+', lambda path: in_package(path[0]), context[1].strip()) if context else ''
    return reason, re.sub(r'int: \d+', 'int', met)  # such as a count of hooks


def in_package(path: str) -> str:
    """The path of a file from the folder of its package on.

    Example:
        >>> in_package('/usr/lib/site-packages/torch/_compile.py')
        'torch/_compile.py'
    """
    parts = Path(path).parts
    package = next((index for index, part in enumerate(parts) if part in PACKAGES), len(parts) - 1)
    return Path(*parts[package:]).as_posix()


def markdown(lines: Sequence[dict]) -> str:
    """A table for each method, of its last line: one row per reason and what was met, the most frequent first."""
    tables = []
    for line in {line['method']: line for line in lines}.values():
        count = sum(one['count'] for one in line['breaks'])
        rows = [
            f'{count} graph breaks in a step of {NAMES[line["method"]]}, PyTorch {line["torch"].split("+")[0]}:\n',
            '| why | at | how often |',
            '|---|---|---|',
        ]
        for one in line['breaks']:
            rows.append(f'| {one["why"].replace("|", " ")} | `{one["at"].replace("`", "")}` | {one["count"]} |')
        tables.append('\n'.join(rows) + '\n')
    return '\n'.join(tables)


TABLE = ResultsTable('graph_breaks', 'performance.md', markdown)

if __name__ == '__main__':
    main()
