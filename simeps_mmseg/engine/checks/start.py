"""What can be wrong with the weights that a training starts from, or with the checkpoint that it goes on from."""

import logging
from pathlib import Path

from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.models.segmentors import EncoderDecoder
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from ...deploy import read_checkpoint
from ...models.checks import class_weight_problems
from ...models.segmentors import BaseSemiSegmentor
from ...models.utils import below, fitting, is_query_head, loaded_share, main_head
from ...utils import UserError
from ...utils.weights import without_wrapper
from .trained_network import rise_notes

STAY_EQUAL = (
    'every branch starts as this network, and nothing in the config makes them differ (no view, no dropout): they stay one '
    'network and teach each other nothing. Give each its view (model.view), as simeps_plus does '
    '(simeps make_semi --method simeps_plus), or the heads dropout (model.branch.decode_head.dropout_ratio=0.1)'
)


def check_class_weights(model: nn.Module) -> None:
    """Compare the class weights of a plain network with its classes; branches were looked at when they were built.

    Raises:
        UserError: If a loss has too few or too many.
    """
    if isinstance(model, EncoderDecoder):
        for problem in class_weight_problems(model):
            raise UserError(f'model.{problem}')


def check_start(checkpoint: str, model: nn.Module) -> None:
    """Compare the weights in ``load_from`` with those of the model, or of its branches; warn where some do not fit.

    Raises:
        UserError: If the file is not there, damaged or holds more than weights, or none of its weights are the model's
            or, with branches, those of a backbone.
    """
    path = Path(checkpoint).expanduser()
    if not path.is_file():
        raise UserError(f'load_from={checkpoint} is not there')
    try:
        content = read_checkpoint(path)
    except UserError as error:
        raise UserError(f'load_from={checkpoint}: {error}') from error
    found = without_wrapper(content['state_dict'])
    branches = list(model.branches) if isinstance(model, BaseSemiSegmentor) else []
    has_branches = any(key.startswith('branches.') for key in found)
    states = [below(found, f'branches.{k}.') if has_branches else found for k in range(len(branches))]
    shares = [loaded_share(own, branch) for own, branch in zip(states, branches)]
    fits = any(len(share.missing) < share.tensors for share in shares) if branches else bool(fitting(found, model))
    if not fits or (branches and not any(share.has_backbone for share in shares)):
        whose = 'this model, nor of one of its branches' if branches else 'this model'
        whose = 'the backbone of a branch' if fits else whose
        raise UserError(
            f'load_from={checkpoint} has no weight of {whose} (it has {next(iter(found), "none at all")}, ...)'
        )
    if isinstance(model, EncoderDecoder) and (missing := loaded_share(found, model).missing):
        print_log(
            f'load_from={checkpoint}: {len(missing)} weights of the model, such as {missing[0]}, do not fit and begin anew',
            logger='current',
            level=logging.WARNING,
        )
    for k, (_, _, missing, _) in enumerate(shares):
        if missing:
            print_log(
                f'load_from={checkpoint}: branch {k} takes what fits, and {len(missing)} weights, such as {missing[0]}, do '
                'not. So it is no trained network, and labels are learned alone first (SemiSupervisedHook.labels_only_share)',
                logger='current',
                level=logging.WARNING,
            )
    if isinstance(model, BaseSemiSegmentor) and not has_branches:
        equal = not any(share.missing for share in shares) and not _differ_in_training(model)
        for text in [*rise_notes(path, content['meta']), *([STAY_EQUAL] if equal else [])]:
            print_log(f'load_from={checkpoint}: {text}', logger='current', level=logging.WARNING)


def _differ_in_training(model: BaseSemiSegmentor) -> bool:
    """Whether anything is drawn for each branch on its own: a view, what is dropped, the points that a query head looks at."""
    views = getattr(model, 'views', None)  # one mix is for all branches
    if len(model.branches) == 1 or (views is not None and views.view is not None):
        return True
    layers = [layer for branch in model.branches for layer in branch.modules()]
    dropped = (layer.p if isinstance(layer, _DropoutNd) else getattr(layer, 'drop_prob', 0) for layer in layers)
    draws_points = any(
        is_query_head(branch) or hasattr(main_head(branch), 'get_points_train') for branch in model.branches
    )
    return any(dropped) or draws_points


def check_resumed_schedule(runner: Runner) -> None:
    """Compare the ends of the schedules in the config with those that the checkpoint brought along.

    mmengine takes schedulers from the checkpoint, their ends included: trained on with a larger ``max_iters``, a run would
    stay at the learning rate of its old end.

    Raises:
        UserError: If they differ.
    """
    configs = runner.cfg.get('param_scheduler') or []
    configs = configs if isinstance(configs, (list, tuple)) else [configs]
    schedulers = runner.param_schedulers or []
    schedulers = schedulers if isinstance(schedulers, list) else [one for some in schedulers.values() for one in some]
    for index, (config, scheduler) in enumerate(zip(configs, schedulers)):
        asked, restored = config.get('end'), getattr(scheduler, 'end', None)
        in_iterations = not config.get('by_epoch', True)
        if in_iterations and asked is not None and restored is not None and asked != restored:
            raise UserError(
                f'param_scheduler[{index}].end={asked}, but the schedule of the checkpoint that is resumed ends at '
                f'{restored}, and would go on so. Resume with the old end; or begin a new training from its weights '
                '(load_from=...)'
            )
