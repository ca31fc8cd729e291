"""Steps that take turns, each in a process of its own."""

import os
import time
from functools import partial

from benchmarks.turns import take_turns


def make(seconds):
    """A step that says how long it took, and the process that it runs in."""
    return partial(float, seconds), os.getpid()


def test_each_has_a_process_and_a_turn_in_each_round():
    reports, times = take_turns(dict(a=partial(make, 1), b=partial(make, 2)), rounds=3, device='cpu')
    assert times == dict(a=[1.0] * 3, b=[2.0] * 3)
    assert len({*reports.values(), os.getpid()}) == 3


def test_after_the_end_no_round_starts_but_the_first():
    _, times = take_turns(dict(a=partial(make, 1)), rounds=3, device='cpu', end=time.monotonic())
    assert times == dict(a=[1.0])
