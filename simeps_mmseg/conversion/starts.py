"""A trained network for each branch to start from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor

from ..deploy import network_states, read_checkpoint, state_of_branches
from ..deploy.stock_config import number_of_branches
from ..utils import UserError
from ..utils.checkpoint import save_checkpoint
from ..utils.files import whole_file
from ..utils.weights import without_wrapper


@contextmanager
def start_beside(out: Path, given: Sequence[Path], method: Path, overwrite: bool) -> Iterator[Path | None]:
    """The checkpoint that a config is to load: none, the one that is given, or one in which each branch finds its own.

    That is written beside the config, and has its name once the block ends well.

    Args:
        out: The config.
        given: Checkpoints of the supervised config.
        method: The file of the method.
        overwrite: Replace the checkpoint beside the config where it is there already.

    Raises:
        UserError: If it is there already and is not to be replaced, is one of the networks that it is made of, or as
            :func:`joined_networks` has it.
    """
    if len(given) < 2:
        yield given[0] if given else None
        return
    joined = joined_networks(given, number_of_branches(Config.fromfile(method).semi_model))
    start = out.with_name(f'{out.stem}_start.pth')
    if start.exists() and start.resolve() in [path.resolve() for path in given]:
        raise UserError(
            f'{start} would be written over, and is one of the networks to start from; choose another name for the config'
        )
    if start.exists() and not overwrite:
        raise UserError(
            f'{start} is there already; choose another name for the config, or replace both with --overwrite'
        )
    with whole_file(start) as partial:
        save_checkpoint(joined, partial)
        yield start


def joined_networks(paths: Sequence[Path], branches: int) -> dict:
    """A checkpoint of branches, each of which is a network that was trained alone.

    It has no step and no optimiser, so no training goes on from it; one begins with it (``load_from``).

    Args:
        paths: Checkpoints of the supervised config, in the order of the branches.
        branches: How many networks the method trains.

    Raises:
        UserError: If there are more or fewer files than branches, one holds several networks, or two are of one training.
    """
    if len(paths) != branches:
        trained, choice = (
            (f'{branches} networks', f'one file, or {branches} different ones')
            if branches > 1
            else ('one network', 'one file')
        )
        raise UserError(f'--checkpoint names {len(paths)} files, and the method trains {trained}: give {choice}')
    checkpoints = [read_checkpoint(path) for path in paths]
    networks = []
    for path, checkpoint in zip(paths, checkpoints):
        held = network_states(without_wrapper(checkpoint['state_dict']), student=True)
        if len(held) > 1:
            raise UserError(f'--checkpoint {path} holds {len(held)} networks already: give it alone')
        networks.append(held[0])
    for (first, one), (second, other) in combinations(enumerate(checkpoints), 2):
        if _equal(networks[first], networks[second]) or _of_one_training(one, other):
            raise UserError(
                f'--checkpoint: {paths[first]} and {paths[second]} are of the same training. Several are given to be '
                'different: train each from another seed '
                '(simeps train CONFIG --cfg-options randomness.seed=1 --work-dir FOLDER)'
            )
    return dict(meta=dict(networks=[str(path) for path in paths]), state_dict=state_of_branches(networks))


def _equal(one: Mapping, other: Mapping) -> bool:
    """Whether two networks have the same weights."""
    tensors = [{name: value for name, value in state.items() if isinstance(value, Tensor)} for state in (one, other)]
    return tensors[0].keys() == tensors[1].keys() and all(
        torch.equal(value, tensors[1][name]) for name, value in tensors[0].items()
    )


def _of_one_training(one: Mapping, other: Mapping) -> bool:
    """Whether mmengine noted the same training in two checkpoints: its name has the time at which it began."""
    noted = [[checkpoint['meta'].get(key) for key in ('experiment_name', 'seed')] for checkpoint in (one, other)]
    return None not in noted[0] and noted[0] == noted[1]
