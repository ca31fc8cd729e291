"""What is wrong with the data of a config, as far as it can be seen without opening every file."""

from collections.abc import Sequence

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from ..sources import Source, find_sources
from .files import inspect_file
from .inspection import FileReport, Problem
from .paths import files_there, missing_file_problems, rows, shared_path_problems
from .sets import binary_mask_problems


def check_quickly(cfg: Config) -> list[Problem]:
    """What can be found without opening every file: see :func:`quick_problems`."""
    sources, problems = find_sources(cfg)
    return problems + quick_problems(sources)


def quick_problems(sources: Sequence[Source], files: int = 3) -> list[Problem]:
    """Images without masks, images in two parts by their path, and what is wrong with the first ``files`` of each source.

    Where the masks of a part look as if 255 stood for a defect, all of that part are opened: only then it is known.
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
    return [*problems, *binary_mask_problems(every)]
