"""Which networks of a checkpoint are exported."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from ..models.segmentors import ENSEMBLE, STUDENT
from ..utils import UserError
from ..utils.checkpoint import read_checkpoint
from .checkpoint import BranchScores, best_branch

BEST = 'best'


def label_of(chosen: Sequence[int], count: int) -> str:
    """Name of the chosen networks in messages and file names: ``network``, ``branch k`` or ``ensemble``."""
    if count == 1:
        return 'network'
    return f'branch {chosen[0]}' if len(chosen) == 1 else ENSEMBLE


def with_network(state: Mapping[str, Tensor], branch: int, file: Path) -> dict[str, Tensor]:
    """A state dict in which one branch, and its moving average if there is one, has the weights of a plain network."""
    plain = read_checkpoint(file)['state_dict']
    places = [f'branches.{branch}.', f'teachers.{branch}.module.']
    return {
        **state,
        **{place + name: value for place in places for name, value in plain.items() if place + name in state},
    }


def choose_branches(
    branch: str, count: int, scores: BranchScores | None, path: Path, cfg: Config, student: bool
) -> tuple[list[int], str]:
    """Indices of the networks to export, and the reason in words.

    Args:
        branch: ``best``, a number, or ``ensemble``.
        count: Of the networks.
        scores: Of each network on validation, which ``best`` goes by; None where none were recorded.
        path: Of the checkpoint.
        cfg: Of the training.
        student: Whether the networks are the branches although they have moving averages.

    Raises:
        UserError: If there is no such branch, or no score to choose by.
    """
    if count == 1 and branch in (BEST, ENSEMBLE):
        return [0], ''
    if branch == ENSEMBLE:
        return list(range(count)), ''
    if branch != BEST:
        if not branch.isdecimal() or int(branch) >= count:
            allowed = ', '.join([BEST, *map(str, range(count)), ENSEMBLE])
            raise UserError(f'--branch must be one of {allowed} for this checkpoint, got {branch}')
        return [int(branch)], ''
    if student and (cfg.model.get('test_cfg') or {}).get('predict_with') != STUDENT:
        raise UserError(
            f'the recorded scores are those of the moving averages, not of the students: with --student give --branch 0 to '
            f'{count - 1}'
        )
    if scores is None or len(scores.values) != count:
        raise UserError(no_scores(path, cfg, count))
    index = best_branch(scores.values)
    return [index], f', the best by {_listed(scores)} ({scores.source})'


def no_scores(path: Path, cfg: Config, count: int) -> str:
    """The error where validation recorded no score of each branch: it says how to get them."""
    split = ((cfg.get('val_dataloader') or {}).get('dataset') or {}).get('ann_file') or 'VALIDATION_SPLIT'
    return (
        f'--branch best needs the validation scores branch_k.mIoU_fg, and neither {path} nor a scalars.json beside it has '
        f'them (DefectIoUMetric records them with model.test_cfg.branch_predictions=True).\n'
        f'Score the branches on the validation set: simeps test CONFIG {path} --cfg-options '
        f'test_dataloader.dataset.ann_file={split}\nthen name the best one: --branch 0 to {count - 1}.'
    )


def _listed(scores: BranchScores) -> str:
    return f'{scores.name} ' + ' / '.join(f'{value:.2f}' for value in scores.values)
