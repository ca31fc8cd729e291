"""Processes of their own for tests, without the seconds that imports take: they are forked from a server that has imported.

The server runs nothing, so it has no threads that a fork would lose. What has to begin with a fresh interpreter uses
``subprocess``.
"""

import os
import socket
import sys
import tempfile
import textwrap
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from runpy import run_path
from subprocess import CompletedProcess
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

ROOT = Path(__file__).resolve().parents[1]


def server() -> BaseContext:
    """The context that starts processes by forking the server."""
    context = mp.get_context('forkserver')
    context.set_forkserver_preload(['tests.preloaded'])
    here = os.getcwd()
    os.chdir(
        ROOT
    )  # where the server starts, it looks for modules; elsewhere some installed package may be called tests
    try:
        forkserver.ensure_running()
    finally:
        os.chdir(here)
    return context


def start_processes(function: Callable[..., None], args: tuple, nprocs: int) -> None:
    """Run ``function(rank, *args)`` in several processes and wait for them; errors are raised, as ``mp.spawn`` does."""
    server()
    mp.start_processes(function, args=args, nprocs=nprocs, start_method='forkserver')


def set_environment(rank: int, port: int, world_size: int) -> None:
    """What a launcher tells a process."""
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(world_size), LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )


def join(rank: int, port: int, world_size: int) -> None:
    """Let a process know the others."""
    set_environment(rank, port, world_size)
    dist.init_process_group('gloo')


def leave() -> None:
    """Wait for the others and end."""
    dist.barrier()
    dist.destroy_process_group()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def in_processes(function: Callable, world_size: int, *args: Any) -> list:
    """What each process saved in the folder that is the last argument, as ``<rank>.pth``."""
    start_processes(function, args=(free_port(), *args), nprocs=world_size)
    return [torch.load(args[-1] / f'{rank}.pth') for rank in range(world_size)]


def run_tool(tool: Path | str, *arguments: object, cwd: Path = ROOT) -> CompletedProcess:
    """Run a Python file with arguments, as from the command line of a folder."""
    with tempfile.TemporaryDirectory() as folder:
        args = (str(ROOT / tool), [*map(str, arguments)], dict(os.environ), str(cwd), folder)
        process = server().Process(target=_run, args=args)
        process.start()
        process.join()
        texts = [Path(folder, stream).read_text(encoding='utf-8') for stream in ('stdout', 'stderr')]
        return CompletedProcess([tool, *arguments], process.exitcode, *texts)


def run_code(code: str) -> CompletedProcess:
    """Run code where the package and the stack have been imported."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'code.py')
        file.write_text(textwrap.dedent(code), encoding='utf-8')
        return run_tool(file)


def _run(file: str, arguments: list[str], environment: dict[str, str], cwd: str, output: str) -> None:
    for descriptor, stream in ((1, 'stdout'), (2, 'stderr')):
        os.dup2(os.open(os.path.join(output, stream), os.O_WRONLY | os.O_CREAT), descriptor)
        setattr(sys, stream, os.fdopen(descriptor, 'w', encoding='utf-8', closefd=False))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = [file, *arguments]
    sys.path.insert(0, os.path.dirname(file))
    run_path(file, run_name='__main__')
