"""How long a step takes, how much memory a process has needed, and on what processor."""

import platform
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch


def seconds_of(step: Callable[[], object], count: int, device: str) -> float:
    """Mean wall time of some steps in a row, the device's work included."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    if device == 'cuda':
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / count


def peak_mib(device: str) -> int:
    """MiB that this process needed at most: of tensors on ``cuda``, on ``cpu`` in all."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() // 2**20
    status = Path('/proc/self/status')
    if status.exists():  # ru_maxrss would start at that of the parent
        return int(status.read_text().split('VmHWM:')[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def found_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def device_name(device: str) -> str:
    """Name of the GPU, or of the processor with the threads that PyTorch uses of it.

    Args:
        device: ``cuda`` or ``cpu``.
    """
    if device == 'cuda':
        return torch.cuda.get_device_name()
    cpuinfo = Path('/proc/cpuinfo')
    name = processor_of(cpuinfo.read_text() if cpuinfo.exists() else '') or platform.processor() or platform.machine()
    return f'{name}, {torch.get_num_threads()} threads'


def processor_of(cpuinfo: str) -> str | None:
    """The processor that Linux describes; None where it does not say."""
    named = re.search(r'^model name\s*: (.+)$', cpuinfo, re.MULTILINE)
    return named[1] if named else None
