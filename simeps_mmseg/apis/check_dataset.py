"""Look at every file that a config trains on or is scored on."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence

from mmengine.config import Config
from mmengine.logging import print_log
from prettytable import PrettyTable

from ..datasets.class_weights import class_weights
from ..datasets.file_reports import inspect_file, inspect_sources, missing_image, missing_mask
from ..datasets.inspection import LABELED, TEST, UNLABELED, VALIDATION, FileReport, Problem
from ..datasets.set_problems import binary_mask_problems, set_problems, shared_file_problems
from ..datasets.sound_files import SoundFiles, default_folder
from ..datasets.sources import Source, classes_of, find_sources
from ..models.utils import walk_dicts
from ..utils import UserError, counted
from ..utils.paths import real_path
from .config import load_config
from .data import check_data_is_there, missing_data


def check_dataset(
    config: str, options: Sequence[str] = (), workers: int | None = None, limit: int = 20
) -> list[Problem]:
    """Open every labelled, unlabelled, validation and test file, print a summary and every problem.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        options: ``key=value`` changes of the config.
        workers: Processes; None takes one per core, 0 none beside this one.
        limit: Problems of a kind that are printed; 0 prints all.

    Returns:
        The warnings.

    Raises:
        UserError: If ``limit`` is negative, data is missing, or after everything was printed if there were errors.
    """
    if limit < 0:
        raise UserError(f'--limit is a number of problems, or 0 for all of them; got {limit}')
    cfg = load_config(config, options)
    check_data_is_there(cfg)
    sources, problems = find_sources(cfg)
    reports, found = check_files(sources, workers)
    problems += [*found, *batch_size_problems(cfg, reports)]
    print(summary(reports, sources))
    if not any(node.get('class_weight') for _, node in walk_dicts(cfg.model)):
        print(weights_advice(reports, sources, has_one_output(cfg)), end='')
    print_problems(problems, limit)
    errors = sum(problem.is_error for problem in problems)
    if errors:
        raise UserError(f'{counted(errors, "error")} in the data of {config}, listed above')
    return problems


def check_files(
    sources: Sequence[Source], workers: int | None = None, known: SoundFiles | None = None
) -> tuple[list[FileReport], list[Problem]]:
    """Open all files, but those of ``known``: what was seen in each, and what is wrong with each and all."""
    reports = inspect_sources(sources, workers, known)
    problems = [problem for report in reports for problem in report.problems]
    return reports, problems + set_problems(reports, classes_of(sources))


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


def check_before_training(cfg: Config, open_all: bool = True) -> list[str]:
    """What :func:`check_dataset` finds, as the first thing that training does, in the first process.

    What was found sound at an earlier start, and has not changed since, is not opened again.

    Args:
        cfg: The whole config.
        open_all: Whether to open all files; else :func:`check_quickly`.

    Returns:
        One line per kind of warning.

    Raises:
        UserError: With all errors.
    """
    if int(os.environ.get('RANK', 0)) != 0:
        return []
    absent = dict.fromkeys(path for path, _, _ in missing_data(cfg, ('test_dataloader',)))
    if absent:  # training does without
        cfg = cfg.copy()
        cfg.test_dataloader = None
    if open_all:
        sources, problems = find_sources(cfg)
        known = SoundFiles(default_folder())
        start = time.monotonic()
        reports, found = check_files(sources, known=known)
        print_log(opening_time(len(reports), time.monotonic() - start), 'current')
        known.save()
        problems += [*found, *batch_size_problems(cfg, reports)]
    else:
        problems = check_quickly(cfg)
    problems += [Problem('no test data', TEST, path, 'a file or folder', 'nothing', False) for path in absent]
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        listed = '\n'.join(f'  - {line}' for line in by_kind(errors, 5))
        raise UserError(
            f'the data cannot be trained on:\n{listed}\nEvery file is looked at by: python tools/check_dataset.py CONFIG'
        )
    return list(by_kind(problems, 1))


def opening_time(images: int, seconds: float) -> str:
    """A line for the log.

    Example:
        >>> opening_time(2000, 5.0)
        'data: 2000 images and their masks checked in 5.0 s, 2.5 s per 1,000 (files known to be sound were not opened again)'
    """
    each = f'{1000 * seconds / max(images, 1):.1f} s per 1,000'
    return (
        f'data: {images} images and their masks checked in {seconds:.1f} s, {each} (files known to be sound were not '
        'opened again)'
    )


def by_kind(problems: Sequence[Problem], limit: int) -> Iterator[str]:
    """Up to ``limit`` lines for each kind of problem; the last says how many more there are."""
    for kind in dict.fromkeys(problem.kind for problem in problems):
        of_kind = [problem for problem in problems if problem.kind == kind]
        more = f' (and {len(of_kind) - limit} more)' if len(of_kind) > limit else ''
        lines = [f'{kind}: {problem}' for problem in of_kind[:limit]]
        yield from [*lines[:-1], lines[-1] + more]


# -- without opening them --------------------------------------------------------------------------------------------


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


# -- all files -------------------------------------------------------------------------------------------------------


def summary(reports: Sequence[FileReport], sources: Sequence[Source]) -> PrettyTable:
    """One row per part: images, sizes, colour, and for each class the share of the pixels that count."""
    classes = classes_of(sources)
    shown = classes if len(classes) <= 12 else ()
    table = PrettyTable(['part', 'images', 'masks', 'sizes', 'grey', *shown])
    table.align = 'r'
    table.align['part'] = 'l'
    for part in (LABELED, UNLABELED, VALIDATION, TEST):
        own = [report for report in reports if report.part == part]
        if not own:
            continue
        counts = pixels_of(own, len(shown))
        total = sum(counts)
        shares = [f'{100 * count / total:.2f} %' if total else '-' for count in counts]
        sizes = {report.size for report in own if report.digest is not None}
        grey = sum(report.grey for report in own if report.digest is not None)
        masks = sum(bool(report.values) for report in own)
        table.add_row([part, len(own), masks, _sizes(sizes), grey, *shares])
    return table


def pixels_of(reports: Sequence[FileReport], num_classes: int) -> list[int]:
    """Pixels of each class in all masks together."""
    return [sum(report.classes.get(index, 0) for report in reports) for index in range(num_classes)]


def has_one_output(cfg: Config) -> bool:
    """Whether a head tells two classes apart by one output, with a sigmoid."""
    return any(node.get('out_channels') == 1 and 'num_classes' in node for _, node in walk_dicts(cfg.model))


def batch_size_problems(cfg: Config, reports: Sequence[FileReport]) -> Iterator[Problem]:
    """Validation in batches of images that have several sizes and that nothing brings to one."""
    for part, name in ((VALIDATION, 'val'), (TEST, 'test')):
        loader = cfg.get(f'{name}_dataloader') or {}
        sizes = {report.size for report in reports if report.part == part and report.digest is not None}
        steps = [node for _, node in walk_dicts(loader.get('dataset') or {})]
        same = any(step.get('type') == 'Resize' and not step.get('keep_ratio') for step in steps)
        if loader.get('batch_size', 1) > 1 and len(sizes) > 1 and not same:
            found = f'images of {_sizes(sizes)}, which cannot be stacked'
            expected = f'one size where batch_size={loader.batch_size}, or batch_size=1'
            yield Problem('several sizes in a batch', part, f'{name}_dataloader.batch_size', expected, found)


def weights_advice(reports: Sequence[FileReport], sources: Sequence[Source], one_output: bool = False) -> str:
    """A line with class weights where a labelled class has less than 1/64 of the pixels of another; else nothing.

    A head with one output takes one number, the weight of the second class against the first.
    """
    classes = classes_of(sources)
    pixels = pixels_of([report for report in reports if report.part == LABELED], len(classes))
    weights = class_weights(pixels) if any(pixels) else [1.0]
    rare = [name for name, weight in zip(classes, weights) if weight > 8]
    if not rare:
        return ''
    if one_output and len(weights) == 2:
        weights = [float(f'{weights[1] / weights[0]:.2g}')]
    return f'Rare: {", ".join(rare)}. For the cross-entropy (docs/methods.md, When classes vanish): class_weight={weights}\n'


def _sizes(sizes: set[tuple[int, int]]) -> str:
    if len(sizes) <= 1:
        return ''.join(f'{height} x {width}' for height, width in sizes) or '-'
    (low, high), (left, right) = ((min(values), max(values)) for values in zip(*sizes))
    return f'{low} to {high} x {left} to {right}'


def print_problems(problems: Iterable[Problem], limit: int) -> None:
    """Errors, then warnings, grouped by kind."""
    problems = list(problems)
    for is_error, noun in ((True, 'error'), (False, 'warning')):
        own = [problem for problem in problems if problem.is_error == is_error]
        print(counted(len(own), noun) + (':' if own else ''))
        for kind in dict.fromkeys(problem.kind for problem in own):
            of_kind = [problem for problem in own if problem.kind == kind]
            print(f'  {kind}: {len(of_kind)}')
            shown = of_kind[:limit] if limit else of_kind
            print('\n'.join(f'    - {problem}' for problem in shown))
            if len(of_kind) > len(shown):
                print(f'    - and {len(of_kind) - len(shown)} more; --limit 0 prints all')
