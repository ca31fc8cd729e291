"""What is wrong with the data of a config: files are opened."""

from collections.abc import Iterator, Sequence
from itertools import islice

from mmengine.config import Config

from ...utils import evenly_spaced
from ...utils.config_tree import walk_dicts
from ..sources import Source, classes_of
from .files import inspect_sources
from .inspection import TEST, UNLABELED, VALIDATION, FileReport, Problem
from .masks import masks_among_images
from .paths import path_problems
from .sets import set_problems
from .sound_files import SoundFiles


def check_files(
    sources: Sequence[Source],
    workers: int | None = None,
    known: SoundFiles | None = None,
    most_unlabeled: int | None = None,
) -> tuple[list[FileReport], list[Problem]]:
    """Open files, but those of ``known``: what was seen in each, and what is wrong with each and all.

    Args:
        sources: From :func:`find_sources`.
        workers: See :func:`inspect_sources`.
        known: See :func:`inspect_sources`.
        most_unlabeled: Of an unlabelled source with more images so many are opened, the same ones every time; of the others
            only the paths are looked at. None: no limit.
    """
    opened = [some_of(source, most_unlabeled) for source in sources]
    reports = inspect_sources(opened, workers, known)
    problems = [problem for report in reports for problem in report.problems]
    classes = classes_of(sources)
    problems += set_problems(reports, classes)
    problems += masks_among_images(unlabeled_reports(opened, reports), reports, len(classes))
    if len(reports) < sum(len(source.infos) for source in sources):
        problems += path_problems(sources)
        problems = list({(problem.kind, problem.file): problem for problem in reversed(problems)}.values())[::-1]
    return reports, problems


def unlabeled_reports(sources: Sequence[Source], reports: Sequence[FileReport]) -> Iterator[list[FileReport]]:
    """The reports of each unlabelled source.

    Args:
        sources: Whose files were opened, all of them.
        reports: Of these files, in their order.
    """
    rest = iter(reports)
    for source in sources:
        own = list(islice(rest, len(source.infos)))
        if source.part == UNLABELED:
            yield own


def some_of(source: Source, most_unlabeled: int | None) -> Source:
    """A source whose files are to be opened: evenly spaced ones of a large unlabelled one."""
    count = len(source.infos)
    if source.part != UNLABELED or most_unlabeled is None or count <= most_unlabeled:
        return source
    return source._replace(infos=[source.infos[index] for index in evenly_spaced(count, most_unlabeled)])


def batch_size_problems(cfg: Config, reports: Sequence[FileReport]) -> Iterator[Problem]:
    """Validation in batches of images that have several sizes and that nothing brings to one."""
    for part, name in ((VALIDATION, 'val'), (TEST, 'test')):
        loader = cfg.get(f'{name}_dataloader') or {}
        sizes = {report.size for report in reports if report.part == part and report.digest is not None}
        steps = [node for _, node in walk_dicts(loader.get('dataset') or {})]
        same = any(step.get('type') == 'Resize' and not step.get('keep_ratio') for step in steps)
        if loader.get('batch_size', 1) > 1 and len(sizes) > 1 and not same:
            found = f'images of {sizes_text(sizes)}, which cannot be stacked'
            expected = f'one size where batch_size={loader["batch_size"]}, or batch_size=1'
            yield Problem('several sizes in a batch', part, f'{name}_dataloader.batch_size', expected, found)


def sizes_text(sizes: set[tuple[int, int]]) -> str:
    """Heights and widths in words: the one there is, or the range of each."""
    if len(sizes) <= 1:
        return ''.join(f'{height} x {width}' for height, width in sizes) or '-'
    (low, high), (left, right) = ((min(values), max(values)) for values in zip(*sizes))
    return f'{low} to {high} x {left} to {right}'
