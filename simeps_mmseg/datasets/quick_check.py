"""What is wrong with the data of a config, as far as it can be seen without opening every file."""

import os
from collections.abc import Sequence

from mmengine.config import Config

from ..utils.paths import real_path
from .file_reports import inspect_file, missing_image, missing_mask
from .inspection import FileReport, Problem
from .set_problems import binary_mask_problems, shared_file_problems
from .sources import Source, find_sources


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
    complete: dict[int, list[dict]] = {}
    for source in sources:
        missing = missing_file_problems(source)
        problems += missing
        incomplete = {problem.file for problem in missing}
        complete[id(source)] = [info for info in source.infos if info['img_path'] not in incomplete]
        reports += [inspect_file(source, info) for info in complete[id(source)][:files]]
    problems += [problem for report in reports for problem in report.problems]
    doubtful = {problem.part for problem in binary_mask_problems(reports)}
    every = [inspect_file(one, info) for one in sources if one.part in doubtful for info in complete[id(one)]]
    return [*problems, *binary_mask_problems(every)]


def missing_file_problems(source: Source) -> list[Problem]:
    """Images and masks that the data set names and that are not there."""
    problems = []
    exists = ExistingFiles()
    for info in source.infos:
        if not exists(info['img_path']):
            problems.append(missing_image(source.part, info['img_path']))
        if source.rules.mask_step and not exists(info['seg_map_path']):
            problems.append(missing_mask(source.part, info['img_path'], info['seg_map_path']))
    return problems


class ExistingFiles:
    """``os.path.exists`` for many files of few folders: each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, set[str]] = {}

    def __call__(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
        return name in self._folders[folder]


def shared_path_problems(sources: Sequence[Source]) -> list[Problem]:
    """Images that are in two parts by their path, links followed."""
    files: dict[str, dict[str, list[str]]] = {}
    for source in sources:
        for info in source.infos:
            files.setdefault(real_path(info['img_path']), {}).setdefault(source.part, []).append(info['img_path'])
    return [problem for by_part in files.values() for problem in shared_file_problems(by_part)]
