"""The log of a training as one history, across resumed and crashed starts."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.functional import without_prefix
from ..utils import UserError
from ..utils.valid_json import undefined_as_nan

Record = Mapping[str, Any]


@dataclass(frozen=True)
class TrainingLog:
    """The lines of a training, in order of iterations.

    Attributes:
        path: Where they were read.
        train: Lines of training steps; each has ``step``, the number of iterations done.
        val: Lines of validations, likewise.
        resumed: Iterations at which a later start took over.
        damaged: Lines that could not be read: a run that is killed leaves its last one half written.
    """

    path: Path
    train: list[Record]
    val: list[Record]
    resumed: list[int] = field(default_factory=list)
    damaged: int = 0

    def scalars(self, part: str = 'train') -> list[str]:
        """Names of the numbers in the lines of ``'train'`` or ``'val'``, in the order in which they first appear."""
        found: dict[str, None] = {}
        for record in getattr(self, part):
            found.update(dict.fromkeys(key for key, value in record.items() if isinstance(value, (int, float))))
        return [key for key in found if key not in ('step', 'iter', 'epoch')]

    def series(self, key: str, part: str = 'train') -> tuple[np.ndarray, np.ndarray]:
        """Iterations (n,) int64 and values (n,) float64 of one number, where it was written; empty if nowhere."""
        pairs = [(r['step'], r[key]) for r in getattr(self, part) if isinstance(r.get(key), (int, float))]
        steps, values = zip(*pairs) if pairs else ((), ())
        return np.array(steps, np.int64), np.array(values, np.float64)

    @property
    def last_step(self) -> int:
        """Iterations done when the last line was written."""
        return max((record['step'] for record in [*self.train, *self.val]), default=0)


def read_training_log(path: str | Path) -> TrainingLog:
    """Read the log of a work folder, of one start of it (``<timestamp>/``), or of one JSON file.

    A work folder has a folder for each start of the training. Where a later one took over from a checkpoint, what the
    earlier one wrote of the same and later iterations is void.

    Args:
        path: Folder or file.

    Raises:
        UserError: If it is not there or holds no line of a training step.
    """
    path = Path(path)
    files = log_files(path)
    parts, damaged = [], 0
    for file in files:
        records, broken = parse_lines(file.read_text(encoding='utf-8', errors='replace').splitlines())
        parts.append(split_records(records))
        damaged += broken
    train, val, resumed = join_parts(parts)
    if not train:
        listed = ', '.join(str(file.relative_to(path) if path.is_dir() else file) for file in files)
        raise UserError(
            f'{path} holds no line of a training step ({listed}): the run ended before its first one '
            '(default_hooks.logger.interval), or this is the log of a test'
        )
    return TrainingLog(path, train, val, resumed, damaged)


def log_files(path: Path) -> list[Path]:
    """The JSON file of each start of a training, oldest first.

    mmengine writes every line twice: to ``vis_data/<timestamp>.json``, which is of this start alone, and to
    ``vis_data/scalars.json``, which another training in the same process may have written into as well.

    Raises:
        UserError: If there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f'{path} is not there; give the work folder of a training, or a JSON file of its log')
    files = []
    for folder in sorted([*path.glob('vis_data'), *path.glob('*/vis_data')]):
        own = folder / f'{folder.parent.name}.json'
        chosen = own if own.is_file() else folder / 'scalars.json'
        if chosen.is_file():
            files.append(chosen)
    if not files:
        raise UserError(
            f'{path} has no log: no */vis_data/scalars.json, which LocalVisBackend writes at the first logged step '
            "(visualizer.vis_backends in the config needs dict(type='LocalVisBackend'))"
        )
    return files


def parse_lines(lines: Iterable[str]) -> tuple[list[Record], int]:
    """Dicts from lines of JSON, and how many lines are none.

    Example:
        >>> parse_lines(['{"step": 50, "loss": 1.5}', '{"step": 100, "lo'])
        ([{'step': 50, 'loss': 1.5}], 1)
    """
    records: list[Mapping[str, Any]] = []
    damaged = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            record = None
        if isinstance(record, dict) and isinstance(record.get('step'), int):
            records.append(undefined_as_nan(record))
        else:
            damaged += 1
    return records, damaged


def split_records(records: Iterable[Record]) -> tuple[list[Record], list[Record]]:
    """Lines of training steps, and lines of validations, from one start of a training.

    Only training steps have a loss. Loops that count epochs number validations by epoch; these get the iteration of the
    training line before them.
    """
    train: list[Record] = []
    val: list[Record] = []
    for record in records:
        if 'loss' in record:
            train.append(record)
        else:
            is_numbered = not train or 'epoch' not in train[-1]
            step = record['step'] if is_numbered else train[-1]['step']
            val.append({**without_prefix(record), 'step': step})
    return train, val


def join_parts(parts: Iterable[tuple[list[Record], list[Record]]]) -> tuple[list[Record], list[Record], list[int]]:
    """One history from those of successive starts: a later start voids what an earlier one wrote from its first step on.

    Args:
        parts: Training and validation lines of each start, oldest first.

    Returns:
        Training lines, validation lines, and the first step of each start that continued another.
    """
    train: list[Record] = []
    val: list[Record] = []
    resumed: list[int] = []
    for later_train, later_val in parts:
        if not later_train:
            continue
        first = later_train[0]['step']
        train = [record for record in train if record['step'] < first]
        val = [record for record in val if record['step'] < first]
        resumed = [step for step in resumed if step < first]
        if train:
            resumed.append(first)
        train += later_train
        val += later_val
    return train, val, resumed


def num_branches(log: TrainingLog) -> int:
    """How many branches the validations scored one by one; 0 of a plain network."""
    found = (re.match(r'branch_(\d+)\.', key) for key in log.scalars('val'))
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def class_names(log: TrainingLog) -> list[str]:
    """Classes in the order of the network, as far as the log names them."""
    prefixes = (('pseudo_share.', 'train'), ('label_share.', 'train'), ('IoU.', 'val'))
    found: dict[str, None] = {}
    for prefix, part in prefixes:
        found.update(dict.fromkeys(_suffixes(log.scalars(part), prefix)))
    return list(found)


def _suffixes(keys: Iterable[str], prefix: str) -> Iterator[str]:
    return (key.removeprefix(prefix) for key in keys if key.startswith(prefix))
