"""What is drawn while a sample is loaded depends on the sample's position in the stream of the sampler."""

from collections.abc import Iterator, Sequence

from torch.utils.data import Dataset, Sampler

from ...datasets.samplers import Draw
from .generators import seeded


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
