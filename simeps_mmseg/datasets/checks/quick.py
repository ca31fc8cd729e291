"""What is wrong with the data of a config, as far as it can be seen without opening every file."""

from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.config import Config

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
    opened = [FileReports(source) for source in sources]
    for one in opened:
        problems += missing_file_problems(one.source, one.found)
        reports += one.reports(one.there[:files])
    problems += [problem for report in reports for problem in report.problems]
    doubtful = {problem.part for problem in binary_mask_problems(reports)}
    every = [report for one in opened if one.source.part in doubtful for report in one.reports(one.there)]
    return [*problems, *binary_mask_problems(every), *mask_source_problems(opened, reports)]


class FileReports:
    """What is in files of a source, each of which is opened once, however often it is asked for.

    Args:
        source: The source.

    Attributes:
        source: The source.
        found: What :func:`~simeps_mmseg.datasets.checks.paths.files_there` gives.
        there: Rows of the samples whose files are there.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found = files_there(source)
        self.there = rows(np.logical_and(*self.found))
        self._reports: dict[int, FileReport] = {}

    def reports(self, wanted: Sequence[int]) -> list[FileReport]:
        """What is in some rows; a file that was opened before is not opened again."""
        for row in wanted:
            if row not in self._reports:
                self._reports[row] = inspect_file(self.source, self.source.infos[row])
        return [self._reports[row] for row in wanted]

    def evenly(self, most: int) -> list[FileReport]:
        """What is in evenly spaced ones of those that are there."""
        return self.reports([self.there[index] for index in evenly_spaced(len(self.there), most)])


def mask_source_problems(opened: Sequence[FileReports], reports: Sequence[FileReport]) -> Iterator[Problem]:
    """Unlabelled sources of masks.

    Args:
        opened: All sources.
        reports: Of the files that were opened.
    """
    unlabeled = [one for one in opened if one.source.part == UNLABELED]
    doubtful = [one.evenly(DOUBTED) for one in unlabeled if any(report.tones for report in one.evenly(LOOKED_AT))]
    yield from masks_among_images(doubtful, reports, len(classes_of([one.source for one in opened])))
