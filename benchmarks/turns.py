"""Steps that take turns, each in a process of its own, so that whatever else the machine does meets all alike."""

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

from benchmarks.measuring import peak_mib

Step = Callable[[], float]  # takes it, and returns its seconds


def take_turns(
    makers: Mapping[str, Callable[[], tuple[Step, Any]]],
    rounds: int,
    device: str,
    end: float = math.inf,
    seconds: float = math.inf,
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Set up each step in its process, one after the other; then each takes one turn a round.

    Args:
        makers: By name, what sets up a step and returns it with something to report. Goes to the process by pickle.
        rounds: In which each step has its turn.
        device: ``cpu`` or ``cuda``.
        end: Of ``time.monotonic``: no round but the first starts after that.
        seconds: Of all rounds: no round but the first starts after these.

    Returns:
        The reports, and the seconds of each turn, by name.
    """
    spawn = get_context('spawn')
    processes = {name: ProcessPoolExecutor(1, spawn) for name in makers}
    try:
        wait([process.submit(peak_mib, device) for process in processes.values()])  # imports, which may go side by side
        reports = {name: process.submit(_begin, makers[name]).result() for name, process in processes.items()}
        times: dict[str, list[float]] = {name: [] for name in makers}
        end = min(end, time.monotonic() + seconds)
        for index in range(rounds):
            if index and time.monotonic() > end:
                break
            for name, process in processes.items():
                times[name].append(process.submit(_turn).result())
    finally:
        for process in processes.values():
            process.shutdown()
    return reports, times


_step: Step  # of this process


def _begin(make: Callable[[], tuple[Step, Any]]) -> Any:
    global _step
    _step, report = make()
    return report


def _turn() -> float:
    return _step()
