"""Code that may draw random numbers without changing those that are drawn after it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def undisturbed_random_numbers(gpu: bool = True) -> Iterator[None]:
    """Give the global generators their states back when the block ends: Python, NumPy, PyTorch on the CPU and the current GPU.

    Args:
        gpu: Whether the generator of the GPU is kept, too. What loads images draws from none, and forked processes may not
            ask for it.
    """
    python, numpy = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if gpu and torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
