"""The lines of finished runs: written whole, read whoever wrote them."""

import fcntl
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.protocols import PROTOCOLS, identity

RESULTS = Path(__file__).resolve().parent / 'results'
SCORES = ('mIoU_image', 'mIoU', 'mIoU_fg', 'mDice_image')
NAMES = dict(
    supervised='labels only',
    ensemble='labels only, three networks',
    mean_teacher='Mean Teacher',
    cps='CPS',
    fixmatch='FixMatch',
    unimatch='UniMatch',
    uaps='UAPS',
    simeps='simEps',
    simeps_plus='simEps-plus',
    simeps_plus_mixed='simEps-plus, three different networks',
)
# Beginnings of options of some lines that today's configs do not take.
EARLIER_OPTIONS = (
    'custom_hooks.0.rampup_iters=',
    'model.cross_pseudo.balance=',
    'model.cross_pseudo.threshold=',
    'model.cross_pseudo.weighting=',
    'model.snapshot.',
    'model.teacher.gamma=',
)


def mean_branch(scores: dict, key: str) -> float | None:
    """Mean of a score over a run's networks, each taken alone; None where no network was scored so."""
    own = [value for name, value in scores.items() if name.startswith('branch_') and name.endswith(f'.{key}')]
    known = [value for value in own if value is not None]
    return statistics.mean(known) if known else None


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation; only the value where there is one."""
    mean = f'{statistics.mean(values):.1f}'
    return f'{mean} ± {statistics.stdev(values):.1f}' if len(values) > 1 else mean


ALL_AND_ONE = (dict.__getitem__, mean_branch)  # a score of all networks together, and of one, by scores and key


def kept(metrics: dict) -> dict:
    """The scores that tables are made of: of the model, of each class, of each branch. What is not defined is None."""
    chosen = {key: float(v) for key, v in metrics.items() if key.split('.')[-1] in SCORES or key.startswith('IoU.')}
    return {key: None if math.isnan(value) else round(value, 4) for key, value in chosen.items()}


def append(path: Path, line: dict) -> None:
    """Add one line, whole, also where several processes write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(line) + '\n')
        file.flush()


def lines_of(path: Path) -> list[dict]:
    """The JSON lines of a file as they are, whichever script wrote them; none if it is not there."""
    return [json.loads(text) for text in path.read_text().splitlines() if text] if path.exists() else []


def read(paths: Iterable[Path]) -> list[dict]:
    """The lines of some files, in one form; of one run the one read last. Files that are not there have none.

    Raises:
        ValueError: On a line that is not one of compare.py; names file and line.
    """
    lines = {}
    for path in paths:
        for number, text in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
            if text.strip():
                line = _parsed(text, f'{path}, line {number}')
                lines[json.dumps(line['run'])] = line
    return list(lines.values())


def shipped() -> list[Path]:
    """The files of finished runs in this repository: one per protocol, and one of what was trained on a GPU. (Other scripts
    keep theirs beside them.)
    """
    return [RESULTS / f'{name}.jsonl' for name in (*PROTOCOLS, 'gpu_quarter')]


def _parsed(text: str, where: str) -> dict:
    try:
        return normalized(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{where}: not a line of compare.py ({type(error).__name__}: {error}); mend or remove it'
        ) from error


def normalized(line: dict) -> dict:
    """A line in today's form. Those of the first version have one pair of scores, of the last step."""
    line = {**line, 'run': identity(line['run'])}
    if 'last' not in line:
        line['last'] = dict(iter=line['run']['iters'], val=line.pop('val', None), test=line.pop('test'))
        line.setdefault('precision', 'float32')
    line.setdefault('best', None)
    if isinstance(line.get('images_per_step'), int):
        line['images_per_step'] = dict(grad=line['images_per_step'], no_grad=0)
    line.setdefault('images_per_step', None)
    line.setdefault('labeled_checksum', None)
    return line


def rank(method: str) -> int:
    """Known methods in their order, then the others."""
    return list(NAMES).index(method) if method in NAMES else len(NAMES)
