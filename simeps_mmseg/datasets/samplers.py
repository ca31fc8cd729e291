"""Batches with a fixed number of labelled and unlabelled images."""

from collections.abc import Iterator
from itertools import count

import numpy as np
from mmengine.dataset import ConcatDataset
from mmengine.dist import get_dist_info, sync_random_seed
from mmseg.registry import DATA_SAMPLERS
from numpy.typing import NDArray
from torch.utils.data import Sampler

from ..utils import UserError


class Draw(int):
    """An index of a data set that knows where in the stream of a sampler it was drawn.

    Attributes:
        position: What tells this draw from all others of the training, however many processes share them.
    """

    position: tuple[int, ...]

    def __new__(cls, index: int, position: tuple[int, ...]) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.position = position
        return draw

    def __getnewargs__(self) -> tuple[int, tuple[int, ...]]:  # type: ignore[override]
        return int(self), self.position


class ShuffledStream:
    """An endless stream over ``range(size)``, each round in a new order that depends on (seed, source, round) alone.

    So any position can be asked for at the cost of one permutation: nothing is drawn to get there.
    """

    def __init__(self, size: int, seed: int, source: int) -> None:
        self.size = size
        self.seed = seed
        self.source = source
        self._round = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def __getitem__(self, position: int) -> int:
        current, offset = divmod(position, self.size)
        if current != self._round:
            generator = np.random.default_rng([self.seed, self.source, current])
            self._order = generator.permutation(self.size)
            self._round = current
        return int(self._order[offset])


@DATA_SAMPLERS.register_module()
class LabeledUnlabeledSampler(Sampler):
    """Endless indices: ``num_labeled`` labelled ones, then ``num_unlabeled`` unlabelled ones, and so on.

    With a dataloader of ``batch_size = num_labeled + num_unlabeled`` each batch has exactly these counts. Each source is
    gone through in rounds of its own, shuffled anew each round with a seed of its own, so the smaller one simply comes
    round more often, within one batch if need be. With several processes each takes its own part of every round. Needs
    an iteration-based loop: there is no epoch.

    Args:
        dataset: A ``LabeledUnlabeledDataset``, or a ``ConcatDataset`` of exactly two data sets, the labelled one first.
        num_labeled: Labelled images per batch and process, at least 1.
        num_unlabeled: Unlabelled images per batch and process, at least 1.
        seed: Any integer >= 0, the same on every process. None draws one and shares it.

    Raises:
        UserError: If ``dataset`` is not a ``ConcatDataset`` of two, a share is below 1 or a source is empty.
    """

    def __init__(self, dataset: ConcatDataset, num_labeled: int, num_unlabeled: int, seed: int | None = None) -> None:
        sizes = _source_sizes(dataset)
        for name, share, size in zip(('labeled', 'unlabeled'), (num_labeled, num_unlabeled), sizes):
            if isinstance(share, bool) or not isinstance(share, int) or share < 1:
                raise UserError(f'LabeledUnlabeledSampler.num_{name} must be an integer of 1 or more, got {share!r}')
            if size == 0:
                raise UserError(f'LabeledUnlabeledSampler: the {name} dataset is empty: check its ann_file')
        self.rank, self.world_size = get_dist_info()
        self.num_labeled = num_labeled
        self.num_unlabeled = num_unlabeled
        self.seed = sync_random_seed() if seed is None else seed
        self.sizes = sizes
        self._labeled, self._unlabeled = (ShuffledStream(size, self.seed, i) for i, size in enumerate(sizes))
        self._indices = map(self.index_at, count())

    @property
    def batch_size(self) -> int:
        """The batch size that the dataloader must have."""
        return self.num_labeled + self.num_unlabeled

    def index_at(self, sample: int) -> Draw:
        """Dataset index of the ``sample``-th sample that this process draws, counted from the start of training."""
        batch, place = divmod(sample, self.batch_size)
        if place < self.num_labeled:
            draw = (batch * self.num_labeled + place) * self.world_size + self.rank
            return Draw(self._labeled[draw], (0, draw))
        draw = (batch * self.num_unlabeled + place - self.num_labeled) * self.world_size + self.rank
        return Draw(self.sizes[0] + self._unlabeled[draw], (1, draw))

    def skip(self, num_samples: int) -> None:
        """Continue as if this process had drawn ``num_samples`` samples since the start; takes constant time.

        Raises:
            ValueError: If ``num_samples`` is negative.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must not be negative, got {num_samples}')
        self._indices = map(self.index_at, count(num_samples))

    def __iter__(self) -> Iterator[Draw]:
        yield from self._indices

    def __len__(self) -> int:
        """Number of images in both sources; the stream itself is endless."""
        return sum(self.sizes)

    def set_epoch(self, epoch: int) -> None:
        """There are no epochs to set."""


def _source_sizes(dataset: ConcatDataset) -> tuple[int, int]:
    sources = getattr(dataset, 'datasets', None)
    if not isinstance(dataset, ConcatDataset) or sources is None or len(sources) != 2:
        found = type(dataset).__name__ + (f' of {len(sources)}' if sources is not None else '')
        raise UserError(
            'LabeledUnlabeledSampler needs train_dataloader.dataset to be '
            "dict(type='LabeledUnlabeledDataset', labeled=..., unlabeled=...) or "
            f"dict(type='ConcatDataset', datasets=[labeled, unlabeled]), got {found}; "
            'several sources of one kind go into a ConcatDataset of their own'
        )
    return len(sources[0]), len(sources[1])
