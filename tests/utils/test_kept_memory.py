"""Memory that a process has freed: kept, unless its user has told the allocator otherwise."""

import os
import subprocess
import sys

import pytest

from simeps_mmseg.utils import kept_memory

MIB = 64
SCRIPT = f"""
import numpy, torch
from pathlib import Path
from simeps_mmseg.utils.kept_memory import keep_freed_memory

def resident():
    return int(Path('/proc/self/status').read_text().split('VmRSS:')[1].split()[0]) // 1024

kept = keep_freed_memory()
block = numpy.ones({MIB} * 2**20, numpy.uint8)
before = resident()
del block
print(kept, before - resident())
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='reads the memory of a process from Linux')
@pytest.mark.parametrize('given', [{}, dict(MALLOC_TRIM_THRESHOLD_='131072')])
def test_a_large_block_stays_unless_the_environment_has_settings(given):
    alone = {name: value for name, value in os.environ.items() if not kept_memory.set_by_user({name: value})}
    env = {**alone, 'CUDA_VISIBLE_DEVICES': '', **given}
    said = subprocess.run([sys.executable, '-c', SCRIPT], env=env, capture_output=True, text=True, check=True).stdout
    kept, returned = said.split()
    assert kept == str(not given)
    assert int(returned) > 0.9 * MIB if given else int(returned) < 0.1 * MIB


@pytest.mark.parametrize(('system', 'gpu'), [('darwin', False), ('win32', False), ('linux', True)])
def test_the_allocator_is_left_alone_elsewhere(system, gpu, monkeypatch):
    monkeypatch.setattr(kept_memory.os, 'environ', {})
    monkeypatch.setattr(kept_memory.sys, 'platform', system)
    monkeypatch.setattr(kept_memory.torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setattr(kept_memory.ctypes, 'CDLL', None)  # must not be asked
    assert not kept_memory.keep_freed_memory()
