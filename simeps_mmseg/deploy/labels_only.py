"""The network that was best on labels alone, as the training kept it beside its checkpoints."""

import json
from pathlib import Path
from typing import NamedTuple

from ..utils.checkpoint import read_checkpoint
from .checkpoint import BranchScores, best_branch

RECORD = 'labels_only.json'
WEIGHTS = 'labels_only.pth'


class LabelsOnlyNetwork(NamedTuple):
    """A network that learned from labels alone.

    Attributes:
        branch: Whose weights they were; where branches differ, the one whose config they belong to.
        name: Of the score, such as ``mIoU_fg``.
        score: On validation, in per cent.
        file: Its weights.
    """

    branch: int
    name: str
    score: float
    file: Path


def read_record(folder: Path) -> dict | None:
    """What ``LabelsOnlyGuardHook`` wrote of the training in a folder; None where it wrote nothing."""
    file = folder / RECORD
    return json.loads(file.read_text(encoding='utf-8')) if file.is_file() else None


def labels_only_to_export(checkpoint: Path, scores: BranchScores) -> LabelsOnlyNetwork | None:
    """The network of labels alone, if by validation no branch of a checkpoint is better.

    Args:
        checkpoint: In a work folder.
        scores: Of its branches.
    """
    record = read_record(checkpoint.parent)
    file = checkpoint.parent / WEIGHTS
    if not record or not record['reference'] or not file.is_file():
        return None
    meta = read_checkpoint(file)['meta']
    before = meta['scores'].get(f'branch_{meta["branch"]}.{scores.name}', meta['scores'].get(scores.name))
    if before is None or before < scores.values[best_branch(scores.values)]:
        return None
    return LabelsOnlyNetwork(meta['branch'], scores.name, before, file)
