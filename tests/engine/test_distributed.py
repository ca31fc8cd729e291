"""Data parallelism: two processes train the same model on different images."""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import simeps_mmseg  # noqa: F401 - registers the components, in the new processes too
from simeps_mmseg.models.utils import replace_sync_bn
from tests.helpers import experiment, tiny_model


def runner_of(rank, port, root, folder, max_iters, **changes):
    """A runner of one of two processes on the CPU."""
    from mmengine.runner import Runner

    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    cfg = experiment(root, folder / 'run', max_iters=max_iters, **changes)
    replace_sync_bn(cfg.model)  # the CPU has none
    cfg.launcher = 'pytorch'
    return Runner.from_cfg(cfg)


def save_and_leave(rank, runner, folder, **more):
    from mmengine.model import MMDistributedDataParallel

    assert isinstance(runner.model, MMDistributedDataParallel)
    weights = torch.cat([p.detach().flatten() for p in runner.model.parameters()])
    torch.save(dict(weights=weights, **more), folder / f'{rank}.pth')
    dist.barrier()
    dist.destroy_process_group()


def train(rank, port, root, folder):
    runner = runner_of(rank, port, root, folder, max_iters=3)
    sampler = runner.train_loop.dataloader.sampler
    drawn = [sampler.index_at(i) for i in range(sampler.batch_size)]
    runner.train()
    save_and_leave(rank, runner, folder, drawn=drawn)


def train_guarded(rank, port, root, folder):
    """Two validations: labels alone, then one after which only the second process thinks that a class is gone."""
    hooks = [dict(type='SemiSupervisedHook', rampup_iters=0.5, labels_only=2), dict(type='LabelsOnlyGuardHook')]
    loop = dict(type='IterBasedTrainLoop', max_iters=6, val_interval=2)
    runner = runner_of(rank, port, root, folder, max_iters=6, custom_hooks=hooks, train_cfg=loop)
    ramp = next(hook for hook in runner.hooks if type(hook).__name__ == 'SemiSupervisedHook')
    seen = []

    def evaluate(size):
        gone = {'agreement': 1.0, 'pseudo_share.pit': 0.0, 'label_share.pit': 0.1}
        ramp.statistics = gone if (rank == 1) == (len(seen) == 1) else {}
        scores = [
            {'mIoU_fg': 50.0, 'IoU.ok': 90.0, 'IoU.pit': 50.0},
            *[{'mIoU_fg': 60.0, 'IoU.ok': 90.0, 'IoU.pit': 40.0}] * 2,
        ]
        seen.append(size)
        return scores[len(seen) - 1]

    runner.val_loop.evaluator.evaluate = evaluate
    runner.train()
    save_and_leave(rank, runner, folder, scale=runner.model.module.consistency_scale)


def train_on_mixed_images(rank, port, root, folder):
    """What each process draws while it trains: CutMix boxes of the model, and numbers as dropout draws them."""
    model = tiny_model(cut_mix=dict(type='CutMix', prob=1.0))
    runner = runner_of(rank, port, root, folder, max_iters=3, model=model)
    boxes, numbers = [], []
    draw_mix = runner.model.module.views.draw_mix

    def watched(inputs):
        mix = draw_mix(inputs)
        boxes.append(mix.inside)
        numbers.append(torch.rand(4))
        return mix

    runner.model.module.views.draw_mix = watched
    runner.train()
    save_and_leave(rank, runner, folder, boxes=boxes, numbers=numbers)


def in_two_processes(function, root, folder):
    """What each process saved."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(function, args=(port, root, folder), nprocs=2)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


def test_processes_stay_in_step_on_different_images(synthetic_root, tmp_path):
    first, second = in_two_processes(train, synthetic_root, tmp_path)
    assert not set(first['drawn']) & set(second['drawn'])
    assert torch.equal(first['weights'], second['weights'])


def test_the_guard_decides_for_all_processes(synthetic_root, tmp_path):
    first, second = in_two_processes(train_guarded, synthetic_root, tmp_path)
    # The main process saw the class gone after the third validation, the other one after the second.
    assert first['scale'] == second['scale'] == 0.5
    assert torch.equal(first['weights'], second['weights'])


def test_each_process_draws_its_own_boxes_and_dropout(synthetic_root, tmp_path):
    first, second = in_two_processes(train_on_mixed_images, synthetic_root, tmp_path)
    for key in ('boxes', 'numbers'):
        assert len(first[key]) == 2
        assert not any(torch.equal(one, other) for one, other in zip(first[key], second[key]))
    assert torch.equal(first['weights'], second['weights'])
