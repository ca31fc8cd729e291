"""Freed memory that stays with the process, for the next step to use."""

import ctypes
import os
import sys

import torch

# Of malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4

BY_USERS = ('GLIBC_TUNABLES', 'MALLOC_MMAP_MAX_', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TOP_PAD_', 'MALLOC_TRIM_THRESHOLD_')


def keep_freed_memory() -> bool:
    """Let the C library keep the memory that it has freed; by itself it returns large blocks to the system at once.

    A step on the CPU frees its activations and takes as many again in the next one, which the system then maps and clears
    page by page: up to half of the time of a step. The peak is up to a third higher, as holes remain between blocks.

    Returns:
        Whether it does: on Linux with glibc, without a GPU, unless an environment variable of glibc's allocator is set.
    """
    if sys.platform != 'linux' or torch.cuda.is_available() or any(name in os.environ for name in BY_USERS):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
