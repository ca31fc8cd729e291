"""Checkpoints: what is in them, which branch is the best, and the weights of one network out of them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..evaluation.functional import DECIDING, without_prefix
from ..utils.valid_json import undefined_as_nan


class BranchScores(NamedTuple):
    """What validation said of each branch.

    Attributes:
        name: The score, such as ``mIoU_fg``, in per cent.
        values: One per branch.
        source: Where it was recorded.
    """

    name: str
    values: list[float]
    source: str


def network_states(state: Mapping[str, Tensor], student: bool = False) -> list[dict[str, Tensor]]:
    """The weights of each network in a state dict, without the prefix of the branch.

    Where branches have moving averages, those are what predicts and what is returned.

    Args:
        state: Of a semi-supervised segmentor, or of any plain one.
        student: Whether to take the branches themselves although they have moving averages.

    Returns:
        One state dict per branch; the state itself for a plain segmentor.

    Example:
        >>> state = {'branches.0.w': 1, 'branches.1.w': 2, 'teachers.0.module.w': 3, 'teachers.1.module.w': 4}
        >>> network_states(state), network_states(state, student=True), network_states({'w': 5})
        ([{'w': 3}, {'w': 4}], [{'w': 1}, {'w': 2}], [{'w': 5}])
    """
    networks: dict[str, dict[int, dict[str, Tensor]]] = {'branches': {}, 'teachers': {}}
    for key, value in state.items():
        found = re.fullmatch(r'(branches)\.(\d+)\.(.+)|(teachers)\.(\d+)\.module\.(.+)', key)
        if found:
            kind, index, name = (part for part in found.groups() if part is not None)
            networks[kind].setdefault(int(index), {})[name] = value
    chosen = networks['branches'] if student else networks['teachers'] or networks['branches']
    return [chosen[index] for index in sorted(chosen)] if chosen else [dict(state)]


def state_of_branches(networks: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of several networks as those of the branches of one model: what :func:`network_states` takes apart.

    Example:
        >>> state_of_branches([{'w': 1}, {'w': 2}])
        {'branches.0.w': 1, 'branches.1.w': 2}
    """
    return {f'branches.{k}.{name}': value for k, network in enumerate(networks) for name, value in network.items()}


def plain_checkpoint(state: Mapping[str, Tensor], meta: Mapping[str, object]) -> dict:
    """A checkpoint that any ``torch.load`` takes: tensors in the usual layout, and plain Python values.

    Args:
        state: Weights of one network.
        meta: What MMSeg reads beside them: ``dataset_meta``, ``cfg``, ...

    Raises:
        TypeError: On a value in ``meta`` that is neither a number, text, nor a container of such.
    """
    weights = {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}
    return dict(meta=_plain(dict(meta)), state_dict=weights)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        f'the meta information of an exported checkpoint holds plain values only, got {type(value).__name__}'
    )


def recorded_scores(checkpoint: Mapping, path: Path) -> BranchScores | None:
    """The validation scores of each branch that belong to a checkpoint.

    First those in ``<time>/vis_data/scalars.json`` beside it that were taken at its own iteration: a periodic checkpoint is
    written before the validation of that iteration. Then those that it carries itself, of the last validation before it
    was written. Scores of a test set are in neither.

    Returns:
        The scores, or None where there are none.
    """
    iteration = checkpoint['meta'].get('iter')
    for log in sorted(path.parent.glob('*/vis_data/scalars.json'), reverse=True):
        for entry in reversed(_entries(log)):
            if iteration is not None and entry.get('step') == iteration and (found := _by_branch(entry)):
                return BranchScores(*found, f'iteration {iteration} in {log}')
    history = (checkpoint.get('message_hub') or {}).get('log_scalars') or {}
    last = {key.removeprefix('val/'): buffer.data[0][-1] for key, buffer in history.items() if key.startswith('val/')}
    found = _by_branch(last)
    return BranchScores(*found, f'the last validation before {path.name} was written') if found else None


def validations(path: Path, iteration: int) -> tuple[str, list[tuple[int, float]]]:
    """The score that decides, and its values by step, from the logs beside a checkpoint: of later steps, too.

    No values where the checkpoint's own step was not validated, as in logs that count epochs.
    """
    logs = sorted(path.parent.glob('*/vis_data/scalars.json'))
    entries = [without_prefix(entry) for log in logs for entry in _entries(log)]
    for name in DECIDING:
        scores = {entry['step']: float(entry[name]) for entry in entries if name in entry and 'step' in entry}
        if iteration in scores:
            return name, sorted(scores.items())
    return DECIDING[0], []


def late_rise(scores: Sequence[tuple[int, float]]) -> float:
    """Points per 1,000 steps by which the best score of the last third of a training is above that before; NaN if unknown.

    Args:
        scores: Validations by step, in their order.

    Example:
        >>> late_rise([(200, 10.0), (400, 30.0), (600, 42.0)])
        60.0
    """
    end = scores[-1][0] if scores else 0
    before, late = ([one for one in scores if (one[0] > 2 / 3 * end) == is_late] for is_late in (False, True))
    if not before or not late:
        return float('nan')
    rise = max(score for _, score in late) - max(score for _, score in before)
    return 1000 * rise / (end - before[-1][0])


def _entries(log: Path) -> list[dict]:
    """The lines of a log; one that was cut off while it was written is left out."""
    lines = log.read_text(encoding='utf-8').splitlines()
    return [undefined_as_nan(json.loads(line)) for line in lines if line.endswith('}')]


def _by_branch(scores: Mapping[str, float]) -> tuple[str, list[float]] | None:
    scores = without_prefix(scores)
    for name in DECIDING:
        values: list[float] = []
        while (key := f'branch_{len(values)}.{name}') in scores:
            values.append(float(scores[key]))
        # A branch that paints what is not there scores 0 where the others, rightly silent, score nan: that compares nothing.
        if values and not np.isnan(values).any():
            return name, values
    for name in DECIDING:  # a single network
        if name in scores and not np.isnan(scores[name]):
            return name, [float(scores[name])]
    return None


def best_branch(values: Iterable[float]) -> int:
    """Index of the highest score, the first among equals; NaN is no score.

    Example:
        >>> best_branch([float('nan'), 70.0, 71.5, 71.5])
        2
    """
    return int(np.nanargmax(np.asarray(list(values), float)))
