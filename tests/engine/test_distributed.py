"""Data parallelism: two processes train the same model on different images."""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import Hook

import simeps_mmseg  # noqa: F401 - registers the components, in the new processes too
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from simeps_mmseg.models.utils import replace_sync_bn
from tests.helpers import experiment, tiny_branch, tiny_model


def runner_of(rank, port, root, folder, max_iters, safe=False, **changes):
    """A runner of one of two processes on the CPU."""
    from mmengine.runner import Runner

    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    cfg = experiment(root, folder / 'run', max_iters=max_iters, **changes)
    replace_sync_bn(cfg.model)  # the CPU has none
    cfg.launcher = 'pytorch'
    if safe:
        add_safe_hooks(cfg)
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


def train_interrupted(rank, port, root, folder):
    """Four steps at once, and four of which two follow a resume; the networks drop features at random."""
    branch = tiny_branch()
    branch.decode_head.dropout_ratio = 0.5
    hooks = [dict(type='SemiSupervisedHook', rampup_iters=1.0, rampup_interval=1)]
    weights = []
    for name, stop, resume in (('whole', 4, False), ('cut', 2, False), ('cut', 4, True)):
        changes = dict(model=tiny_model(branch=branch.copy()), custom_hooks=hooks, experiment_name=f'{name}{stop}')
        runner = runner_of(rank, port, root, folder / name, max_iters=4, safe=True, resume=resume, **changes)
        runner.register_hook(StopAfter(stop))
        runner.train()
        weights.append(torch.cat([p.detach().flatten() for p in runner.model.parameters()]))
    save_and_leave(rank, runner, folder, whole=weights[0], resumed=weights[2])


class StopAfter(Hook):
    """Ends a training after some steps."""

    def __init__(self, steps):
        self.steps = steps

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        runner.train_loop.stop_training = runner.iter + 1 >= self.steps


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


def test_a_resume_is_exact_in_each_process(synthetic_root, tmp_path):
    for rank in in_two_processes(train_interrupted, synthetic_root, tmp_path):
        assert torch.equal(rank['whole'], rank['resumed'])
