"""What a data set says of each of its samples, made when it is asked for."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from .paths import PathTable


class SampleList(Sequence[dict]):
    """The ``data_list`` of a data set whose samples differ by one name only.

    It stands in for the list of dicts of ``mmengine.dataset.BaseDataset``, of which each takes 340 bytes with a path of 40
    characters.

    Args:
        names: One for each sample.
        places: For ``img_path`` and what else is a path: the folder, and what is put behind the name.
        common: What all samples have alike.
        seen: Whether each ``img_path`` was in its folder when the names were listed.

    Example:
        >>> samples = SampleList(PathTable.from_paths(['a', 'b']), dict(img_path=('images', '.png')), dict(label_map=None))
        >>> samples[1]
        {'img_path': 'images/b.png', 'label_map': None, 'seg_fields': []}
        >>> list(samples.paths('img_path'))
        ['images/a.png', 'images/b.png']
    """

    def __init__(
        self,
        names: PathTable,
        places: Mapping[str, tuple[str, str]],
        common: Mapping[str, Any],
        seen: bool = False,
    ) -> None:
        self.names = names
        self.places = dict(places)
        self.common = dict(common)
        self.seen = seen
        self._all_below = os.sep == '/' and not names.begin_with('/')

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> dict: ...

    @overload
    def __getitem__(self, index: slice) -> 'SampleList': ...

    def __getitem__(self, index: int | slice) -> 'dict | SampleList':
        if isinstance(index, slice):
            return SampleList(self.names[index], self.places, self.common, self.seen)
        return self._sample(self.names[index])

    def __iter__(self) -> Iterator[dict]:
        return map(self._sample, self.names)

    def paths(self, key: str) -> Iterator[str]:
        """One of the paths of each sample, in their order."""
        folder, suffix = self.places[key]
        if self._all_below:  # faster than os.path.join, which looks for a slash each time
            folder = os.path.join(folder, '')
            return (f'{folder}{name}{suffix}' for name in self.names)
        return (os.path.join(folder, name + suffix) for name in self.names)

    def _sample(self, name: str) -> dict:
        paths = {key: os.path.join(folder, name + suffix) for key, (folder, suffix) in self.places.items()}
        return {**paths, **self.common, 'seg_fields': []}


def paths_of(samples: Sequence[dict], key: str = 'img_path') -> Iterator[str]:
    """One of the paths of each sample, in their order."""
    return samples.paths(key) if isinstance(samples, SampleList) else (sample[key] for sample in samples)


def have_masks(samples: Sequence[dict]) -> bool:
    """Whether some samples say where their mask is."""
    if isinstance(samples, SampleList):
        return 'seg_map_path' in samples.places and bool(len(samples))
    return any(sample.get('seg_map_path') for sample in samples)
