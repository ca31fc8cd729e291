"""Freed memory that stays with the process, for the next step to use."""

import ctypes
import os
import sys
from collections.abc import Mapping

import torch

# Of malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let the C library keep the memory that it has freed; by itself it returns large blocks to the system at once.

    A step on the CPU frees its activations and takes as many again in the next one, which the system then maps and clears
    page by page (``docs/performance.md`` has the cost). The peak is higher, as holes remain between blocks.

    It holds for the whole process, from here on. Another allocator that is preloaded is not told.

    Returns:
        Whether the library took it: on Linux with glibc, without a GPU, unless its user has set the allocator
        (``MALLOC_ARENA_MAX`` and the like, ``GLIBC_TUNABLES``).
    """
    if sys.platform != 'linux' or torch.cuda.is_available() or set_by_user(os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))


def set_by_user(environment: Mapping[str, str]) -> bool:
    """Whether variables of glibc's allocator are set.

    Example:
        >>> set_by_user({'MALLOC_ARENA_MAX': '2'}), set_by_user({'GLIBC_TUNABLES': 'glibc.cpu.x86_shstk=on'})
        (True, False)
    """
    tunables = environment.get('GLIBC_TUNABLES', '')
    return '.malloc.' in tunables or any(name.startswith('MALLOC_') for name in environment)
