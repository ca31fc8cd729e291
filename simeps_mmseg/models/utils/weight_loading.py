"""State dicts of one plain network as those of several branches and their teachers."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


def fitting(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights of a state dict that a network has under the same name and in the same shape."""
    own = network.state_dict()
    return {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}


class LoadedShare(NamedTuple):
    """How much of a network a state dict has.

    Attributes:
        values: Share of its parameters, by their number of values, that are there in their shapes.
        tensors: Number of its parameters, each a tensor.
        missing: The names of the others.
        has_backbone: Whether a weight of the backbone is there; any weight, where nothing is called so.
    """

    values: float
    tensors: int
    missing: list[str]
    has_backbone: bool


def loaded_share(state: dict[str, Tensor], network: nn.Module) -> LoadedShare:
    """Compare a state dict with the parameters of a network, which may be on the meta device.

    Example:
        >>> network = nn.ModuleDict(dict(backbone=nn.Linear(3, 1), head=nn.Linear(1, 2)))
        >>> loaded_share({'head.weight': torch.zeros(2, 1), 'head.bias': torch.zeros(3)}, network)
        LoadedShare(values=0.25, tensors=4, missing=['backbone.weight', 'backbone.bias', 'head.bias'], has_backbone=False)
    """
    own = dict(network.named_parameters())
    there = fitting(state, network).keys() & own.keys()
    backbone = [name for name in own if name.startswith('backbone.')] or list(own)
    values = sum(own[name].numel() for name in there) / max(1, sum(map(torch.numel, own.values())))
    missing = [name for name in own if name not in there]
    return LoadedShare(values, len(own), missing, not there.isdisjoint(backbone))


def below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose key begins with a prefix, by the rest of their key."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def spread_to_branches(state: dict[str, Tensor], prefix: str, branches: Iterable[nn.Module]) -> None:
    """Give each branch a copy of what fits it of a plain network, in place; a state dict with branches stays as it is.

    Args:
        state: State dict of a plain network; what some branch takes leaves its old key.
        prefix: Of the model's own keys in it.
        branches: The networks that start from it.
    """
    if below(state, f'{prefix}branches.'):
        return
    plain = below(state, prefix)
    for k, branch in enumerate(branches):
        for name, value in fitting(plain, branch).items():
            state[f'{prefix}branches.{k}.{name}'] = value.clone()
            state.pop(prefix + name, None)


def spread_to_teachers(state: dict[str, Tensor], prefix: str, num_teachers: int) -> None:
    """Make teachers that a state dict lacks copies of its branches, in place, with no step counted."""
    of_branches = below(state, f'{prefix}branches.')
    if not of_branches or below(state, f'{prefix}teachers.'):
        return
    for key, value in of_branches.items():
        k, name = key.split('.', 1)
        state[f'{prefix}teachers.{k}.module.{name}'] = value.clone()
    state.update({f'{prefix}teachers.{k}.steps': torch.tensor(0) for k in range(num_teachers)})


def fully_loaded(state: dict[str, Tensor], prefix: str, branches: Sequence[nn.Module]) -> list[bool]:
    """Of each branch, whether a state dict has all of its parameters in their shapes."""
    of_branches = below(state, f'{prefix}branches.')
    return [
        all(
            getattr(of_branches.get(f'{k}.{name}'), 'shape', None) == own.shape
            for name, own in branch.named_parameters()
        )
        for k, branch in enumerate(branches)
    ]
