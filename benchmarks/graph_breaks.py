"""Where ``torch.compile`` leaves the graph in a training step: each place with the reason, counted.

    python benchmarks/graph_breaks.py                        # one JSON line a place and reason
    python benchmarks/graph_breaks.py --update               # the table of docs/performance.md

The step is that of ``compile=True`` with the config simeps/unet_neu_10pct.py. Its graphs are made, on the CPU, and run as they
are. Numbers do not depend on the size of the images.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.registry import init_default_scope

from benchmarks.pages import update
from benchmarks.steps import Case, make_step

PAGE = ROOT / 'docs/performance.md'
BEGIN = '<!-- benchmarks/graph_breaks.py -->\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--method', default='simeps', help='folder below configs/')
    parser.add_argument('--update', action='store_true', help='write the table into docs/performance.md')
    args = parser.parse_args()
    init_default_scope('mmseg')
    found = graph_breaks(args.method)
    for (place, reason), count in found.items():
        print(json.dumps(dict(method=args.method, place=place, reason=reason, count=count)), flush=True)
    if args.update:
        update(PAGE, markdown(found), BEGIN)


def graph_breaks(method: str) -> Counter[tuple[str, str]]:
    """How often the step of a method leaves the graph, by place and reason."""
    _, step = make_step(Case('unet', 32, 2, method, 'float32'), 'cpu')
    step()  # so that the optimiser has its moments
    explained = torch._dynamo.explain(step)()
    return Counter((place(one.user_stack), first_line(one.reason)) for one in explained.break_reasons)


def place(stack: Iterable) -> str:
    """File and line of the innermost code, from the package on."""
    frame = list(stack)[-1]
    parts = Path(frame.filename).parts
    packages = [index for index, part in enumerate(parts) if part == 'site-packages']
    short = Path(*parts[packages[-1] + 1 :]) if packages else Path(frame.filename).relative_to(ROOT)
    return f'{short.as_posix()}, {frame.name}'


def first_line(reason: str) -> str:
    return reason.strip().splitlines()[0]


def markdown(found: Counter[tuple[str, str]]) -> str:
    """One row per place and reason, the most frequent first."""
    rows = [f'{found.total()} graph breaks in a step:\n', '| where | why | how often |', '|---|---|---|']
    rows += [f'| `{place}` | {reason.replace("|", " ")} | {count} |' for (place, reason), count in found.most_common()]
    return '\n'.join(rows) + '\n'


if __name__ == '__main__':
    main()
