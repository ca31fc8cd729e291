"""What is wrong with the data of a config, as far as it can be seen without opening every file."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from ...utils import evenly_spaced
from ..sources import Source, classes_of, find_sources
from .files import inspect_file
from .inspection import UNLABELED, FileReport, Problem
from .masks import masks_among_images
from .paths import files_there, missing_file_problems, rows, shared_path_problems
from .sets import binary_mask_problems

LOOKED_AT = 5  # files of an unlabelled source that are opened to see whether it may hold masks
DOUBTED = 50  # of one that may


def check_quickly(cfg: Config) -> list[Problem]:
    """What can be found without opening every file: see :func:`quick_problems`."""
    sources, problems = find_sources(cfg)
    return problems + quick_problems(sources)


def quick_problems(sources: Sequence[Source], files: int = 3) -> list[Problem]:
    """Images without masks, images in two parts by their path, and what is wrong with the first ``files`` of each source.

    Where the masks of a part look as if 255 stood for a defect, all of that part are opened: only then it is known. Where one
    of an unlabelled source, from the first file to the last, has as few grey values as a mask, more are opened.
    """
    problems = shared_path_problems(sources)
    reports: list[FileReport] = []
    complete: dict[int, NDArray[np.bool_]] = {}
    for source in sources:
        problems += missing_file_problems(source)
        complete[id(source)] = np.logical_and(*files_there(source))
        reports += [inspect_file(source, source.infos[row]) for row in rows(complete[id(source)])[:files]]
    problems += [problem for report in reports for problem in report.problems]
    doubtful = {problem.part for problem in binary_mask_problems(reports)}
    every = [
        inspect_file(source, source.infos[row])
        for source in sources
        if source.part in doubtful
        for row in rows(complete[id(source)])
    ]
    return [*problems, *binary_mask_problems(every), *mask_source_problems(sources, complete, reports)]


def mask_source_problems(
    sources: Sequence[Source], complete: Mapping[int, NDArray[np.bool_]], reports: Sequence[FileReport]
) -> Iterator[Problem]:
    """Unlabelled sources of masks.

    Args:
        sources: All sources.
        complete: By the ``id`` of each, which of its files are there.
        reports: Of the files that were opened.
    """
    doubtful = []
    for source in sources:
        there = rows(complete[id(source)]) if source.part == UNLABELED else []
        if any(report.tones for report in _evenly(source, there, LOOKED_AT)):
            doubtful.append(_evenly(source, there, DOUBTED))
    yield from masks_among_images(doubtful, reports, len(classes_of(sources)))


def _evenly(source: Source, there: Sequence[int], most: int) -> list[FileReport]:
    """Reports of evenly spaced files of those that are there."""
    return [inspect_file(source, source.infos[there[index]]) for index in evenly_spaced(len(there), most)]
