"""The same work on many files, shared among processes that each hold a model."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

import cv2
import torch
from mmengine.utils import import_modules_from_strings

from ..utils import UserError
from ..utils.images import UnreadableImage

Item = TypeVar('Item')
Result = TypeVar('Result')
Work = Callable[
    [Item], Iterable[Result]
]  # the results of an item as they come; raises UnreadableImage where it ends early

AHEAD = 4  # items per process that are handed out before their results are taken: all else waits to be listed

_work: Work | None = None  # of this process, if it is a worker


def in_workers(
    open_work: Callable[[str | None], Work],
    items: Iterable[Item],
    workers: int,
    device: str | None = None,
    custom_imports: Mapping | None = None,
) -> Iterator[tuple[Item, Iterable[Result]]]:
    """Each item with its results, in the order of the items.

    Args:
        open_work: Loads the model onto a device and gives the work. With several processes it has to be picklable.
        items: Looked at only a few at a time.
        workers: Processes. 1: this one.
        device: Where the models go. None: one GPU after the other, or the CPU.
        custom_imports: Of the config, which this process has followed when it read that.

    Yields:
        Item and results. To go through these raises ``UnreadableImage`` where the work did.

    Raises:
        UserError: If a process ended from outside, or could not load its model.
    """
    if workers == 1:
        work = open_work(device)
        for item in items:
            yield item, work(item)
        return
    context = multiprocessing.get_context('spawn')  # a forked process can use no GPU
    devices = context.SimpleQueue()
    for one in devices_of(workers, device):
        devices.put(one)
    options = (open_work, devices, threads_of(workers), dict(custom_imports or {}))
    pool = ProcessPoolExecutor(workers, context, _open, options)
    waiting: deque[tuple[Item, Future]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(_run, item)))
            if len(waiting) >= AHEAD * workers:
                yield _taken(waiting)
        while waiting:
            yield _taken(waiting)
    except BrokenProcessPool as error:
        raise UserError(
            f'one of {workers} processes ended from outside, probably for want of memory, or could not load the model (see '
            'above): use fewer --workers. What is done is kept, and the same command continues'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def check_workers(workers: int, device: str | None = None) -> None:
    """Look at the options before processes start: one that cannot take its device ends with a traceback.

    Raises:
        UserError: If there are less than one, or ``device`` is no device or a GPU that is not there.
    """
    if workers < 1:
        raise UserError(f'--workers is a number of processes, 1 or more, got {workers}')
    try:
        asked = torch.device(device or 'cpu')
    except RuntimeError as error:
        raise UserError(f'--device {device} is no device; expected one such as cpu or cuda:0') from error
    gpus = torch.cuda.device_count()
    if asked.type == 'cuda' and (asked.index or 0) >= gpus:
        raise UserError(f'--device {device} is not there: PyTorch finds {gpus} GPU(s), counted from 0')


def devices_of(workers: int, device: str | None) -> list[str | None]:
    """The device of each process."""
    gpus = torch.cuda.device_count()
    return [f'cuda:{k % gpus}' if device is None and gpus else device for k in range(workers)]


def threads_of(workers: int) -> int:
    """Threads of each process: the cores that this one may use, shared."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return max(1, cores // workers)


def _taken(waiting: deque[tuple[Any, Future]]) -> tuple[Any, Iterator]:
    item, future = waiting.popleft()
    return item, _replayed(*future.result())


def _replayed(results: list, failure: str | None) -> Iterator:
    yield from results
    if failure is not None:
        raise UnreadableImage(failure)


# -- in a worker -----------------------------------------------------------------------------------------------------


def _open(
    open_work: Callable[[str | None], Work], devices: 'SimpleQueue[str | None]', threads: int, custom_imports: dict
) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends the others
    if custom_imports:
        import_modules_from_strings(**custom_imports)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    _work = open_work(devices.get())


def _run(item: Any) -> tuple[list, str | None]:
    assert _work is not None
    results = []
    try:
        for result in _work(item):
            results.append(result)
    except UnreadableImage as error:
        return results, str(error)
    return results, None
