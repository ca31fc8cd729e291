"""Random numbers that are the same whether or not a training was interrupted.

What is drawn while a sample is loaded (flips, crops, colours) is seeded by the sample's position in the stream of the
sampler, so neither the number of worker processes nor a resume changes it. What is drawn beside it (dropout, views, CutMix)
goes on from the state of the process's generators, which is kept in the checkpoint.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from ..datasets.samplers import Draw
from ..utils.random_numbers import undisturbed_random_numbers


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
    """Of what :func:`generator_states` gave, the part that networks draw from."""
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


class PositionedSampler(Sampler):
    """Another sampler whose indices know which draw they are, counted over all processes.

    Args:
        sampler: What draws. Indices that are :class:`Draw` already pass unchanged.
        start: How many draws of this process were passed over before the first.
        rank: Of this process.
        world_size: Number of processes.
    """

    def __init__(self, sampler: Sampler, start: int = 0, rank: int = 0, world_size: int = 1) -> None:
        self.sampler = sampler
        self.start = start
        self.rank = rank
        self.world_size = world_size

    def __iter__(self) -> Iterator[Draw]:
        round_ = getattr(self.sampler, 'epoch', 0)
        for count, index in enumerate(self.sampler, self.start):
            yield index if isinstance(index, Draw) else Draw(index, (round_, count * self.world_size + self.rank))

    def __len__(self) -> int:
        return len(self.sampler)  # type: ignore[arg-type]  # those of endless streams have none


class SeededItems:
    """Loads the samples of a batch, each from random numbers of its own.

    It is made the ``__getitems__`` of a data set, which is what ``DataLoader`` asks first, in the process or in its workers.

    Args:
        dataset: Where the samples are.
        seed: Of the training.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def __call__(self, indices: Sequence[int]) -> list:
        return [self._load(index) for index in indices]

    def _load(self, index: int) -> object:
        if not isinstance(index, Draw):
            return self.dataset[index]
        with seeded((self.seed, *index.position)):
            return self.dataset[int(index)]
