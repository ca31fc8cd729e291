"""The states of the global generators that a process draws from: kept, set again, set by a key."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from ...utils.undisturbed_random_numbers import undisturbed_random_numbers


def generator_states() -> dict:
    """The states of this process's global generators, as tensors and plain values."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    version, state, gauss = random.getstate()
    states = dict(
        torch=torch.get_rng_state(),
        numpy=(name, np.asarray(keys).tolist(), position, has_gauss, cached),
        python=(version, list(state), gauss),
    )
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_generator_states(states: dict) -> None:
    """Go on from what :func:`generator_states` gave."""
    set_torch_states(states)
    name, keys, *rest = states['numpy']
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    version, state, gauss = states['python']
    random.setstate((version, tuple(state), gauss))


def set_torch_states(states: dict) -> None:
    """Set the generators that networks draw from to what :func:`generator_states` gave."""
    torch.set_rng_state(states['torch'].cpu())
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'].cpu())


@contextmanager
def seeded(key: Sequence[int]) -> Iterator[None]:
    """Inside, the generators of the CPU depend on the key alone; afterwards they are as before.

    Args:
        key: Non-negative integers, such as a seed and a position.
    """
    words = np.random.SeedSequence(key).generate_state(4)
    with undisturbed_random_numbers(gpu=False):
        np.random.seed(words)
        random.seed(words.tobytes())
        torch.default_generator.manual_seed(int(words[0]))  # torch.manual_seed would seed the GPU's too
        yield
