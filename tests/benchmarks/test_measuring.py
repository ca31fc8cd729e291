"""What measured lines say of the machine."""

import torch

from benchmarks.measuring import device_name, processor_of


def test_the_processor_is_the_one_that_linux_names():
    cpuinfo = 'processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t: fpu\nmodel name\t: Other\n'
    assert processor_of(cpuinfo) == 'Some CPU @ 2 GHz'
    assert processor_of('Hardware\t: BCM2711\n') is None


def test_a_processor_is_named_with_its_threads():
    name, threads = device_name('cpu').rsplit(', ', 1)
    assert name
    assert threads == f'{torch.get_num_threads()} threads'
