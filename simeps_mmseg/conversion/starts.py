"""A trained network for each branch to start from."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import torch

from ..deploy import network_states, read_checkpoint, state_of_branches
from ..utils import UserError
from ..utils.weights import without_wrapper


def joined_networks(paths: Sequence[Path], branches: int) -> dict:
    """A checkpoint of branches, each of which is a network that was trained alone.

    It has no step and no optimiser, so nothing goes on from it: a training begins with it (``load_from``).

    Args:
        paths: Checkpoints of the supervised config, in the order of the branches.
        branches: How many networks the method trains.

    Raises:
        UserError: If there are more or fewer files than branches, one holds several networks, or two hold the same.
    """
    if len(paths) != branches:
        trained, choice = (
            (f'{branches} networks', f'one file, or {branches} different ones')
            if branches > 1
            else ('one network', 'one file')
        )
        raise UserError(f'--checkpoint names {len(paths)} files, and the method trains {trained}: give {choice}')
    networks = []
    for path in paths:
        held = network_states(without_wrapper(read_checkpoint(path)['state_dict']), student=True)
        if len(held) > 1:
            raise UserError(
                f'--checkpoint {path} holds {len(held)} networks already; give it alone, or one of them '
                f'(simeps export {path})'
            )
        networks.append(held[0])
    for (first, one), (second, other) in combinations(zip(paths, networks), 2):
        if one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one):
            raise UserError(
                f'--checkpoint: {first} and {second} hold the same network. Several are given to be different: train each '
                'from another seed (simeps train CONFIG --cfg-options randomness.seed=1 --work-dir FOLDER)'
            )
    return dict(meta=dict(networks=[str(path) for path in paths]), state_dict=state_of_branches(networks))
