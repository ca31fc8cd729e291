"""What is wrong with the files of an experiment by their paths: none is opened, each folder is read once."""

import os
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..listing import RealPaths, SampleList, are_there, paths_of, real_keys, shared_positions
from ..sources import Source
from .files import missing_image, missing_mask
from .inspection import Problem
from .sets import repeated_image, shared_file_problems

FilesThere = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def path_problems(sources: Sequence[Source]) -> list[Problem]:
    """Files that are not there, images that a source has twice, and images that are in two parts."""
    keys = [real_keys(paths_of(source.infos)) for source in sources]
    problems = [problem for source in sources for problem in missing_file_problems(source)]
    problems += [problem for pair in zip(sources, keys) for problem in repeated_path_problems(*pair)]
    return [*problems, *shared_path_problems(sources, keys)]


def files_there(source: Source) -> FilesThere:
    """Whether the image of each sample is there, and its mask where it has to have one; shape (samples,) each."""
    seen = isinstance(source.infos, SampleList) and source.infos.seen
    images = np.ones(len(source.infos), bool) if seen else are_there(paths_of(source.infos))
    masks = are_there(paths_of(source.infos, 'seg_map_path')) if source.rules.mask_step else np.ones_like(images)
    for key, there in (('img_path', images), ('seg_map_path', masks)):
        for row in rows(~there):  # to some file systems upper and lower case are one
            there[row] = os.path.lexists(source.infos[row][key])
    return images, masks


def rows(chosen: NDArray[np.bool_]) -> list[int]:
    """Indices of the true entries of a bool array (n,)."""
    return np.flatnonzero(chosen).tolist()


def missing_file_problems(source: Source, there: FilesThere | None = None) -> list[Problem]:
    """Images and masks that the data set names and that are not there; ``there`` is what :func:`files_there` gives."""
    problems = []
    images, masks = there or files_there(source)
    for row in rows(~(images & masks)):
        info = source.infos[row]
        if not images[row]:
            problems.append(missing_image(source.part, info['img_path']))
        if not masks[row]:
            problems.append(missing_mask(source.part, info['img_path'], info['seg_map_path']))
    return problems


def shared_path_problems(sources: Sequence[Source], keys: Sequence[NDArray[np.int64]] | None = None) -> list[Problem]:
    """Images that are in two parts by their path, links followed; ``keys`` are the sources' :func:`real_keys`."""
    keys = keys or [real_keys(paths_of(source.infos)) for source in sources]
    candidates: list[set[int]] = [set() for _ in sources]
    for first, second in combinations(range(len(sources)), 2):
        if sources[first].part != sources[second].part:
            for index, found in zip((first, second), shared_positions(keys[first], keys[second])):
                candidates[index].update(found)
    real = RealPaths()
    files: dict[str, dict[str, list[str]]] = {}
    for source, own in zip(sources, candidates):
        for row in sorted(own):
            path = source.infos[row]['img_path']
            files.setdefault(real(path), {}).setdefault(source.part, []).append(path)
    return [problem for by_part in files.values() for problem in shared_file_problems(by_part)]


def repeated_path_problems(source: Source, keys: NDArray[np.int64]) -> list[Problem]:
    """Images that one source has more than once by their path, links followed: a warning for each but the first."""
    values, counts = np.unique(keys, return_counts=True)
    real = RealPaths()
    first: dict[str, str] = {}
    problems = []
    for row in rows(np.isin(keys, values[counts > 1])):
        path = source.infos[row]['img_path']
        if real(path) in first:
            problems.append(repeated_image(source.part, path, first[real(path)]))
        first.setdefault(real(path), path)
    return problems
