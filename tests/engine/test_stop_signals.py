"""A training with processes that load data is told to end: by its own process, and as a whole group, as terminals do it."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from simeps_mmseg.apis import train
from simeps_mmseg.engine.hooks.stop_signals import RESUMABLE
from simeps_mmseg.engine.resume import newest_whole
from tests.engine.test_interruption import interruptible
from tests.processes import server

PATIENCE = 120.0  # seconds, on cores that others use too


def train_as_a_group(config: str, work_dir: str) -> None:
    """What a shell starts: a process group of its own, with the usual effect of signals."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    train(config, work_dir=work_dir)


def alive_in_group(group: int) -> list[str]:
    """Processes of a group, without those that have ended and wait to be noticed."""
    listed = subprocess.run(['ps', '-eo', 'pgid,stat,pid,args'], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=3) for line in listed.splitlines()[1:]]
    return [' '.join(row) for row in rows if int(row[0]) == group and not row[1].startswith('Z')]


def wait_until(holds, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='processes are listed as Linux has them')
@pytest.mark.parametrize(('send', 'number'), [(os.kill, signal.SIGTERM), (os.killpg, signal.SIGHUP)])
def test_a_signal_saves_and_leaves_no_process(send, number, synthetic_root, tmp_path):
    cfg = interruptible(synthetic_root, tmp_path / 'run', workers=2, max_iters=4000, val_interval=2000)
    cfg.default_hooks.checkpoint.interval = 2000
    cfg.dump(tmp_path / 'config.py')
    training = server().Process(target=train_as_a_group, args=(str(tmp_path / 'config.py'), str(tmp_path / 'run')))
    training.start()
    try:
        wait_until(lambda: any(file.stat().st_size for file in tmp_path.glob('run/*/vis_data/scalars.json')), 'no step')
        assert len(alive_in_group(training.pid)) >= 3
        send(training.pid, number)
        training.join(PATIENCE)
        assert training.exitcode == RESUMABLE
        wait_until(lambda: not alive_in_group(training.pid), 'processes are left')
    finally:
        if alive_in_group(training.pid):
            os.killpg(training.pid, signal.SIGKILL)
    saved, broken = newest_whole(tmp_path / 'run')
    assert saved is not None
    assert 0 < int(saved.stem.removeprefix('iter_')) < 2000
    assert not broken
