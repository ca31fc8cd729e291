"""State dicts: whether their numbers are finite, and whether they are of a model."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from .errors import UserError


def without_wrapper(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by the names that they have in the model itself, not in its wrapper for several processes.

    Example:
        >>> without_wrapper({'module.a.module.b': 1, 'c': 2})
        {'a.module.b': 1, 'c': 2}
    """
    return {key.removeprefix('module.'): value for key, value in state.items()}


def non_finite_names(state: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that hold NaN or infinity."""
    floating = {name: value for name, value in state.items() if isinstance(value, Tensor) and value.is_floating_point()}
    return [name for name, value in floating.items() if not torch.isfinite(value).all()]


def check_finite(state: Mapping[str, Tensor], what: str) -> None:
    """Raise ``UserError`` if weights hold NaN or infinity.

    Args:
        state: Weights by name.
        what: The subject of the message, such as ``checkpoint work/iter_4.pth``.
    """
    if names := non_finite_names(state):
        raise UserError(
            f'{what} has NaN or infinity in {len(names)} of {len(state)} tensors ({_some(names)}): such a network predicts '
            'nothing. Take an earlier checkpoint'
        )


def differing_weights(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    """What tells the weights of a file from those of a model, in a few words; empty where nothing does.

    Args:
        expected: Of the model.
        state: Of the file.
    """
    problems = {
        'missing': [key for key in expected if key not in state and not key.endswith('num_batches_tracked')],
        'unknown': [key for key in state if key not in expected],
        'of another shape': [key for key in expected if key in state and expected[key].shape != state[key].shape],
    }
    return '; '.join(f'{len(keys)} {kind} ({keys[0]}, ...)' for kind, keys in problems.items() if keys)


def _some(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    return ', '.join(names[:most]) + (', ...' if len(names) > most else '')
