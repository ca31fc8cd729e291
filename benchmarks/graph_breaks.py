"""Where ``torch.compile`` leaves the graph in a training step: what it met there and why it left, counted.

    python benchmarks/graph_breaks.py                        # one JSON line each
    python benchmarks/graph_breaks.py --update               # the table of docs/performance.md

The step is that of ``compile=True`` with the config simeps/unet_neu_10pct.py. Its graphs are made, on the CPU, and run as they
are. Numbers do not depend on the size of the images.
"""

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.registry import init_default_scope
from torch._dynamo.utils import counters

from benchmarks.pages import update
from benchmarks.steps import Case, make_step

PAGE = ROOT / 'docs/performance.md'
PACKAGES = ('simeps_mmseg', 'mmseg', 'mmengine', 'mmcv', 'torch')
BEGIN = '<!-- benchmarks/graph_breaks.py -->\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--method', default='simeps', help='folder below configs/')
    parser.add_argument('--update', action='store_true', help='write the table into docs/performance.md')
    args = parser.parse_args()
    init_default_scope('mmseg')
    found = graph_breaks(args.method)
    for (reason, met), count in found.items():
        print(json.dumps(dict(method=args.method, reason=reason, met=met, count=count)), flush=True)
    if args.update:
        update(PAGE, markdown(found), BEGIN)


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
        parts = Path(place[1]).parts
        package = next(index for index, part in enumerate(parts) if part in PACKAGES)
        return reason, f'{Path(*parts[package:]).as_posix()}:{place[2]}'
    context = re.search(r'Developer debug context: (.+)', text)
    return reason, re.sub(r'int: \d+', 'int', context[1].strip()) if context else ''  # such as a count of hooks


def markdown(found: Counter[tuple[str, str]]) -> str:
    """One row per reason and what was met, the most frequent first."""
    rows = [f'{found.total()} graph breaks in a step:\n', '| why | at | how often |', '|---|---|---|']
    rows += [
        f'| {reason.replace("|", " ")} | `{met.replace("`", "")}` | {count} |'
        for (reason, met), count in found.most_common()
    ]
    return '\n'.join(rows) + '\n'


if __name__ == '__main__':
    main()
