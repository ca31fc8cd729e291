"""Which networks of a checkpoint are exported."""

import shlex
from ast import literal_eval
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from ..models.segmentors import ENSEMBLE, STUDENT
from ..utils import UserError
from ..utils.checkpoint import read_checkpoint
from ..utils.config_tree import leaf_values, type_name
from .checkpoint import BranchScores, best_branch

BEST = 'best'
# Options of a data set that leave images out, as they are by default.
UNRESTRICTED = dict(ann_file="''", indices='None')


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
    configs = sorted(path.parent.glob('*/vis_data/config.py'))
    config = cfg.filename or (configs[-1] if configs else 'CONFIG')
    lacking = (
        f'--branch best needs the validation scores branch_k.mIoU_fg, and neither {path} nor a scalars.json beside it has '
        f'them (DefectIoUMetric records them with model.test_cfg.branch_predictions=True).\n'
    )
    if not cfg.get('test_dataloader'):
        return f'{lacking}Name one: --branch 0 to {count - 1}.'
    command = ['simeps', 'test', str(config), str(path), '--cfg-options', *scoring_options(cfg)]
    scored = f'Score the branches on the validation set: {shlex.join(command)}'
    return f'{lacking}{scored}\nthen name the best one: --branch 0 to {count - 1}.'


def scoring_options(cfg: Config) -> list[str]:
    """What ``--cfg-options`` of ``test`` has to change in a config so that each branch is scored on the validation set."""
    scored = (cfg.model.get('test_cfg') or {}).get('branch_predictions')
    options = [] if scored else ['model.test_cfg.branch_predictions=True']
    evaluator = cfg.get('test_evaluator') or {}
    several = isinstance(evaluator, Sequence)
    kinds = [type_name(one.get('type', '')) for one in (evaluator if several else [evaluator])]
    if 'DefectIoUMetric' not in kinds:
        index = kinds.index('IoUMetric') if 'IoUMetric' in kinds else 0
        options.append(f'test_evaluator.{f"{index}." if several else ""}type=DefectIoUMetric')
    values = [
        dict(leaf_values((cfg.get(loader) or {}).get('dataset') or {}, 'dataset', ('pipeline', 'metainfo')))
        for loader in ('val_dataloader', 'test_dataloader')
    ]
    only_tested = [key for key in values[1] if key not in values[0]]
    taken_back = {key: UNRESTRICTED[name] for key in only_tested if (name := key.split('.')[-1]) in UNRESTRICTED}
    changed = {key: value for key, value in (values[0] | taken_back).items() if values[1].get(key) != value}
    for key, text in changed.items():
        value, place = literal_eval(text), key.replace('[', '.').replace(']', '')
        options.append(f'test_dataloader.{place}={value if isinstance(value, str) else text.replace(" ", "")}')
    return options


def _listed(scores: BranchScores) -> str:
    return f'{scores.name} ' + ' / '.join(f'{value:.2f}' for value in scores.values)
