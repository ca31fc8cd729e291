"""Data parallelism: two processes train the same model on different images."""

import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.helpers import experiment


def train(rank, port, root, work_dir, queue):
    import os

    from mmengine.model import MMDistributedDataParallel
    from mmengine.runner import Runner

    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    torch.cuda.set_device = lambda device: None  # mmengine's launcher asks for a GPU
    cfg = experiment(root, work_dir, max_iters=3)
    cfg.launcher = 'pytorch'
    cfg.env_cfg.dist_cfg = dict(backend='gloo')
    runner = Runner.from_cfg(cfg)
    sampler = runner.train_loop.dataloader.sampler
    seen = [sampler.index_at(i) for i in range(3 * sampler.batch_size)]
    runner.train()
    assert isinstance(runner.model, MMDistributedDataParallel)
    weights = torch.cat([p.detach().flatten() for p in runner.model.parameters()])
    queue.put((rank, seen, weights.numpy()))
    dist.barrier()
    dist.destroy_process_group()


def test_processes_stay_in_step_on_different_images(synthetic_root, tmp_path):
    context = mp.get_context('spawn')
    queue = context.Queue()
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    arguments = [(rank, port, synthetic_root, tmp_path, queue) for rank in range(2)]
    processes = [context.Process(target=train, args=one) for one in arguments]
    for process in processes:
        process.start()
    (_, first, weights), (_, second, others) = sorted((queue.get(timeout=120) for _ in processes), key=lambda r: r[0])
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    assert not set(first[:6]) & set(second[:6])
    assert (weights == others).all()
