"""What is wrong with the data of a config, before a training starts on it."""

import time
from collections.abc import Iterator, Sequence

from mmengine.config import Config
from mmengine.logging import print_log

from ...utils import UserError, counted
from ...utils.processes import is_first_process
from ..sources import find_sources
from .full import batch_size_problems, check_files
from .inspection import TEST, Problem
from .missing_data import missing_data
from .quick import check_quickly
from .sound_files import SoundFiles, default_folder

MOST_UNLABELED = 10_000  # images of a source that are opened before a training


def check_before_training(
    cfg: Config, open_files: bool = True, most_unlabeled: int | None = MOST_UNLABELED
) -> list[str]:
    """What :func:`check_dataset` finds, as the first thing that training does, in the first process.

    What an earlier start or ``check_dataset`` found sound, and has not changed since, is not opened again.

    Args:
        cfg: The whole config.
        open_files: Whether to open the files; else :func:`check_quickly`.
        most_unlabeled: How many of each unlabelled source are opened at most. None: all.

    Returns:
        One line per kind of warning.

    Raises:
        UserError: With all errors.
    """
    if not is_first_process(cfg):
        return []
    absent = dict.fromkeys(path for path, _, _ in missing_data(cfg, ('test_dataloader',)))
    if absent:  # training does without
        cfg = cfg.copy()
        cfg.test_dataloader = None
    if open_files:
        sources, problems = find_sources(cfg)
        known = SoundFiles(default_folder())
        start = time.monotonic()
        reports, found = check_files(sources, known=known, most_unlabeled=most_unlabeled)
        print_log(opening_time(len(reports) - known.recalled, known.recalled, time.monotonic() - start), 'current')
        if len(reports) < (count := sum(len(source.infos) for source in sources)):
            print_log(
                f'data: {count - len(reports)} of {count} images are unlabelled ones that were not opened, only looked for by '
                'their paths; --check-all opens all',
                'current',
            )
        known.save()
        problems += [*found, *batch_size_problems(cfg, reports)]
    else:
        problems = check_quickly(cfg)
    problems += [Problem('no test data', TEST, path, 'a file or folder', 'nothing', False) for path in absent]
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        listed = '\n'.join(f'  - {line}' for line in by_kind(errors, 5))
        raise UserError(
            f'the data cannot be trained on:\n{listed}\nEvery file is looked at by: simeps check_dataset CONFIG'
        )
    return list(by_kind(problems, 1))


def opening_time(opened: int, known: int, seconds: float) -> str:
    """How long it took to open the images, as a line for the log.

    Args:
        opened: Images that were opened, each with its mask.
        known: Images that were not, as they were found sound before.
        seconds: That it took.

    Example:
        >>> opening_time(2000, 0, 5.0)
        'data: 2000 images opened with their masks in 5.0 s, 2.5 s per 1,000'
        >>> opening_time(0, 1, 0.1)
        'data: 0 images opened; 1 image known to be sound and unchanged, not opened again'
    """
    text = f'data: {counted(opened, "image")} opened'
    if opened:
        text += f' with their masks in {seconds:.1f} s, {1000 * seconds / opened:.1f} s per 1,000'
    return text + (f'; {counted(known, "image")} known to be sound and unchanged, not opened again' if known else '')


def by_kind(problems: Sequence[Problem], limit: int) -> Iterator[str]:
    """Up to ``limit`` lines for each kind of problem; the last says how many more there are."""
    for kind in dict.fromkeys(problem.kind for problem in problems):
        of_kind = [problem for problem in problems if problem.kind == kind]
        more = f' (and {len(of_kind) - limit} more)' if len(of_kind) > limit else ''
        lines = [f'{kind}: {problem}' for problem in of_kind[:limit]]
        yield from [*lines[:-1], lines[-1] + more]
