"""A trained network for each branch to start from."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from ..deploy import network_states, read_checkpoint, state_of_branches
from ..utils import UserError
from ..utils.weights import without_wrapper


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
