"""Several processes on the CPU, for tests."""

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


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


def in_processes(function: Callable, world_size: int, *args: Any) -> list:
    """What each process saved in the folder that is the last argument, as ``<rank>.pth``."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(function, args=(port, *args), nprocs=world_size)
    return [torch.load(args[-1] / f'{rank}.pth') for rank in range(world_size)]
