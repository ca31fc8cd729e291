"""Data parallelism: two processes train the same model on different images."""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import simeps_mmseg  # noqa: F401 - registers the components, in the new processes too
from simeps_mmseg.models.utils import replace_sync_bn
from tests.helpers import experiment


def train(rank, port, root, folder):
    from mmengine.model import MMDistributedDataParallel
    from mmengine.runner import Runner

    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    torch.cuda.set_device = lambda device: None  # mmengine's launcher asks for a GPU
    cfg = experiment(root, folder / 'run', max_iters=3)
    replace_sync_bn(cfg.model)  # the CPU has none
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)  # that is, the CPU
    cfg.env_cfg.dist_cfg = dict(backend='gloo')
    runner = Runner.from_cfg(cfg)
    sampler = runner.train_loop.dataloader.sampler
    drawn = [sampler.index_at(i) for i in range(sampler.batch_size)]
    runner.train()
    assert isinstance(runner.model, MMDistributedDataParallel)
    weights = torch.cat([p.detach().flatten() for p in runner.model.parameters()])
    torch.save(dict(drawn=drawn, weights=weights), folder / f'{rank}.pth')
    dist.barrier()
    dist.destroy_process_group()


def test_processes_stay_in_step_on_different_images(synthetic_root, tmp_path):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(train, args=(port, synthetic_root, tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert not set(first['drawn']) & set(second['drawn'])
    assert torch.equal(first['weights'], second['weights'])
