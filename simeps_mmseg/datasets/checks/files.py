"""Opening the files of a config's data sets, and what is wrong with each."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import cv2
import mmcv
import numpy as np
from mmengine.dataset import Compose

from ...utils import UserError, progress
from ...utils.images import check_image_is_whole, check_is_file, read_header
from ...utils.memory import memory_limit
from ..sources import FileRules, Source
from ..transforms.loading import decode_color, to_uint8
from .inspection import (
    ORDINARY_IMAGES,
    FileReport,
    LabelRules,
    Problem,
    count_classes,
    count_values,
    depth_problem,
    few_tones,
    header_problems,
    is_grey,
    is_ordinary,
    pixel_digest,
    size_problem,
)
from .sound_files import SoundFiles

ORDINARY_MASKS = ('LoadAnnotations',)
CHUNK = 16  # files that a process is given at a time
AHEAD = 4  # chunks per process that are handed out before their results are taken
SAVED_EVERY = 10_000  # files

Map = Callable[[Callable, Iterable], Iterable]


def inspect_sources(
    sources: Sequence[Source], workers: int | None = None, known: SoundFiles | None = None
) -> list[FileReport]:
    """Open all files, in several processes, under a progress bar.

    Args:
        sources: From :func:`find_sources`.
        workers: Processes; None takes one per core, 0 none beside this one.
        known: What was found sound before, which is not opened again. What is found sound now is added.

    Raises:
        UserError: If a process was ended from outside.
    """
    workers = _cores() if workers is None else workers
    reports: list[FileReport] = []
    with mapping(workers) as each:
        for source in sources:
            reports += _reports_of(source, each, known)
    return reports


def _reports_of(source: Source, each: Map, known: SoundFiles | None) -> list[FileReport]:
    """One for each image of a source. What is found sound is kept every so many files, so that a check can go on."""
    reports = [known.report(source, info) if known else None for info in source.infos]
    rows = [row for row, report in enumerate(reports) if report is None]
    unknown = (source.infos[row] for row in rows)
    opened = each(partial(inspect_pair, source.part, source.rules), unknown)
    for number, report in enumerate(progress(opened, f'{source.part} ({source.key})', total=len(rows)), start=1):
        row = rows[number - 1]
        reports[row] = report
        if known:
            known.add(source, source.infos[row], report)
            if number % SAVED_EVERY == 0:
                known.save()
    return cast(list[FileReport], reports)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


@contextmanager
def mapping(workers: int) -> Iterator[Map]:
    """``map``, by processes that decode images where ``workers`` is not 0.

    OpenCV's own threads are ended before: processes that are forked beside them may wait for them for ever.
    """
    if workers < 1:
        yield map
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    processes = ProcessPoolExecutor(workers, multiprocessing.get_context(method), _leave_interrupts_to_the_first)
    try:
        yield partial(_in_chunks, processes, AHEAD * workers)
    except BrokenProcessPool as error:
        raise UserError(
            'a process that opens images was ended from outside, probably for want of memory: give it more, or run '
            'check_dataset with --workers 0, which shows at which file'
        ) from error
    finally:
        processes.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)


def _in_chunks(processes: ProcessPoolExecutor, ahead: int, function: Callable, items: Iterable) -> Iterator:
    """``map`` in the order of the items, of which only so many chunks are handed out before their results are taken."""
    waiting: deque[Future] = deque()
    stream = iter(items)
    while chunk := list(islice(stream, CHUNK)):
        waiting.append(processes.submit(_each_of, function, chunk))
        if len(waiting) >= ahead:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _each_of(function: Callable, items: list) -> list:
    return [function(item) for item in items]


def _leave_interrupts_to_the_first() -> None:
    """Ctrl-C reaches all processes; the first ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def inspect_file(source: Source, info: dict) -> FileReport:
    """Open one image and its mask."""
    return inspect_pair(source.part, source.rules, info)


def inspect_pair(part: str, rules: FileRules, info: dict) -> FileReport:
    """Open one image and its mask.

    Args:
        part: Where they belong.
        rules: How they are read.
        info: ``img_path`` and, with masks, ``seg_map_path``.
    """
    report = FileReport(part, info['img_path'], info.get('seg_map_path') if rules.mask_step else None)
    report.problems += image_problems(report, rules.image_step, info)
    if report.mask is not None:
        report.problems += mask_problems(report, rules, info)
    return report


def image_problems(report: FileReport, step: dict, info: dict) -> Iterator[Problem]:
    """Read the image, note in the report what it is."""
    if not os.path.exists(report.image):
        yield missing_image(report.part, report.image)
        return
    try:
        check_is_file(report.image)
        header = read_header(report.image)
        for kind, expected, found, is_error in header_problems(header, report.mask is not None, memory_limit()):
            yield Problem(kind, report.part, report.image, expected, found, is_error)
            if is_error:
                return
        image = read_image(step, info)
    except Exception as error:  # a decoder may raise anything on a damaged file
        yield Problem('unreadable', report.part, report.image, 'a readable image', _reason(error, report.image))
        return
    report.size, report.grey, report.digest = image.shape[:2], is_grey(image), pixel_digest(image)
    report.tones = few_tones(image)
    if is_ordinary(step):
        dark = depth_problem(image, step.get('bit_depth'), step.get('percentiles'))
        if dark:
            expected, found = dark
            yield Problem('dark 16-bit image', report.part, report.image, expected, found, False)


def mask_problems(report: FileReport, rules: FileRules, info: dict) -> Iterator[Problem]:
    """Read the mask, note in the report what it shows."""
    file, step = report.mask, rules.mask_step
    if file is None or step is None:
        return
    if not os.path.exists(file):
        yield missing_mask(report.part, report.image, file)
        return
    try:
        check_is_file(file)
        mask, is_mapped = read_mask(step, info)
    except Exception as error:  # as above
        yield Problem('unreadable', report.part, file, 'a readable mask', _reason(error, file))
        return
    wrong_size = size_problem(report.size, mask.shape) if report.digest is not None else None
    if wrong_size:
        yield Problem('size mismatch', report.part, file, *wrong_size)
    if mask.ndim != 2:
        return
    labels = rules.labels
    report.values = count_values(mask)
    own = LabelRules(labels.num_classes, labels.ignore_index) if is_mapped else labels
    report.classes, unknown = count_classes(report.values, own)
    if unknown:
        values = f'{sorted(unknown)[:8]}{" ..." if len(unknown) > 8 else ""}'
        found = f'{values} in {sum(unknown.values())} of {mask.size} pixels'
        yield Problem('value outside the classes', report.part, file, own.allowed(), found)
    elif report.classes.keys() <= {labels.ignore_index}:
        raw = sorted(report.values)
        yield Problem('all-ignore mask', report.part, file, 'pixels of a class', f'only ignored pixels (values {raw})')


def read_image(step: dict, info: dict) -> np.ndarray:
    """Pixels of an image, (h, w, c), in the depth of the file; by the transform itself where it is not an ordinary one."""
    kind, path = str(step.get('type')).split('.')[-1], Path(info['img_path'])
    if kind in ORDINARY_IMAGES:
        check_image_is_whole(path)
    if not is_ordinary(step):
        return Compose([step])(dict(info))['img']
    image = decode_color(path.read_bytes())
    if kind == 'LoadImageAsUint8':
        to_uint8(image, step.get('bit_depth'), step.get('percentiles'))  # raises what training would
    elif image.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f'pixels of type {image.dtype}, which LoadImageFromFile cannot open; LoadImageAsUint8 opens floats in [0, 1], '
            'with percentiles=(1, 99) any'
        )
    return image


def read_mask(step: dict, info: dict) -> tuple[np.ndarray, bool]:
    """Values of a mask, (h, w), and whether they are classes already: by the transform itself where it is not MMSeg's."""
    if step.get('type') not in ORDINARY_MASKS:
        return Compose([step])({**info, 'seg_fields': []})['gt_seg_map'], True
    backend = step.get('imdecode_backend', 'pillow')
    mask = mmcv.imfrombytes(Path(info['seg_map_path']).read_bytes(), flag='unchanged', backend=backend)
    if mask is None:
        raise ValueError('not a readable image')
    mask = mask.squeeze()
    return (mask.astype(np.uint8) if mask.dtype == bool else mask), False


def _reason(error: Exception, file: str) -> str:
    if os.path.isfile(file) and not os.path.getsize(file):
        return 'an empty file'
    return ' '.join(str(error).split())[:160] or type(error).__name__


def missing_image(part: str, path: str) -> Problem:
    """An image that is not there; lists with suffixes are the usual reason."""
    suffix = Path(path).suffix
    twice = suffix and Path(path).stem.endswith(suffix)
    hint = f'no such file: the lines of ann_file are names without {suffix}' if twice else 'no such file'
    return Problem('missing image', part, path, 'an image', hint)


def missing_mask(part: str, image: str, mask: str) -> Problem:
    """An image without its mask."""
    return Problem('missing pair', part, image, f'its mask {mask}', 'no such file')
