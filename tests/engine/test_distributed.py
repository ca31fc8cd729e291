"""Data parallelism: several processes train the same model on different images, and learn what one would of all of them."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS

import simeps_mmseg  # noqa: F401 - registers the components, in the new processes too
from simeps_mmseg.engine.hooks import PseudoLabelStatisticsHook
from simeps_mmseg.engine.hooks.access import find_hook
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from simeps_mmseg.models.utils import replace_sync_bn
from tests.helpers import experiment, make_samples, tiny_branch, tiny_model
from tests.processes import start_processes


def set_environment(rank, port, world_size):
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(world_size), LOCAL_RANK=str(rank), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )


def runner_of(rank, port, root, folder, max_iters, safe=False, **changes):
    """A runner of one of two processes on the CPU."""
    from mmengine.runner import Runner

    set_environment(rank, port, 2)
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
    drawn = [int(sampler.index_at(i)) for i in range(sampler.batch_size)]
    before = torch.cat([p.detach().flatten() for p in runner.model.module.branches.parameters()])
    runner.train()
    save_and_leave(rank, runner, folder, drawn=drawn, before=before)


def train_guarded(rank, port, root, folder):
    """Two validations: labels alone, then one after which only the second process thinks that a class is gone."""
    hooks = [dict(type='SemiSupervisedHook', rampup_share=0.5, labels_only_iters=2), dict(type='LabelsOnlyGuardHook')]
    loop = dict(type='IterBasedTrainLoop', max_iters=6, val_interval=2)
    runner = runner_of(rank, port, root, folder, max_iters=6, custom_hooks=hooks, train_cfg=loop)
    statistics = find_hook(runner, PseudoLabelStatisticsHook)
    seen = []

    def evaluate(size):
        gone = {'agreement': 1.0, 'pseudo_share.pit': 0.0, 'label_share.pit': 0.1}
        statistics.latest = gone if (rank == 1) == (len(seen) == 1) else {}
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
    hooks = [dict(type='SemiSupervisedHook', rampup_share=1.0, rampup_interval=1)]
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


def in_processes(function, world_size, *args):
    """What each process saved in the folder that is the last argument."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    start_processes(function, args=(port, *args), nprocs=world_size)
    return [torch.load(args[-1] / f'{rank}.pth') for rank in range(world_size)]


# -- the same batches in one, two and four processes -----------------------------------------------------------------

IMAGES, STEPS, CLASSES, SIZE = 8, 3, 4, 16  # of each part of a batch


def linear_model():
    """simEps with teachers whose losses are means over the images or span the processes: no batch norm, no Dice."""
    init_default_scope('mmseg')
    branch = tiny_branch(CLASSES)
    norm = dict(type='GN', num_groups=2)
    branch.backbone.norm_cfg = branch.decode_head.norm_cfg = norm
    branch.decode_head.loss_decode = dict(type='CrossEntropyLoss')
    torch.manual_seed(0)
    model = MODELS.build(
        tiny_model(
            branch=branch,
            cross_pseudo=dict(type='CrossPseudoLoss', dice_share=0.0, loss_weight=1.0),
            similarity=dict(type='SimilarityConsistencyLoss', loss_weight=1.0),
            teacher=dict(type='ExponentialMovingAverage', momentum=0.5),
        )
    )
    model.init_weights()
    return model


def part_of_batch(step, rank, world_size):
    """The images and samples of a step that a process gets: a share of the labelled and one of the unlabelled ones."""
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(2 * IMAGES, 3, SIZE, SIZE, generator=generator)
    labels = torch.randint(0, CLASSES, (IMAGES, 1, SIZE, SIZE), generator=generator)
    share = IMAGES // world_size
    own = [part + rank * share + i for part in (0, IMAGES) for i in range(share)]
    samples = make_samples(len(own), labeled=False, size=(SIZE, SIZE))
    for sample, index in zip(samples, own):
        if index < IMAGES:
            sample.gt_sem_seg = PixelData(data=labels[index])
    return images[own], samples


def train_steps(model, rank, world_size):
    """Gradients of each of a few steps of SGD, shape (STEPS, p), and the teachers at the end, (q,)."""
    segmentor = getattr(model, 'module', model)
    optimizer = torch.optim.SGD(segmentor.branches.parameters(), lr=0.05)
    gradients = []
    for step in range(STEPS):
        optimizer.zero_grad()
        losses = model(*part_of_batch(step, rank, world_size), mode='loss')
        segmentor.parse_losses(losses)[0].backward()
        gradients.append(torch.cat([p.grad.flatten() for p in segmentor.branches.parameters()]))
        optimizer.step()
    teachers = torch.cat([p.detach().flatten() for p in segmentor.teachers.parameters()])
    return dict(gradients=torch.stack(gradients), teachers=teachers)


def train_part(rank, port, world_size, folder):
    from mmengine.model import MMDistributedDataParallel

    set_environment(rank, port, world_size)
    dist.init_process_group('gloo')
    model = MMDistributedDataParallel(linear_model().train())
    torch.save(train_steps(model, rank, world_size), folder / f'{rank}.pth')
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def alone():
    return train_steps(linear_model().train(), rank=0, world_size=1)


@pytest.mark.parametrize('world_size', [2, 4])
def test_processes_learn_what_one_would_of_all_images(world_size, alone, tmp_path):
    found = in_processes(train_part, world_size, world_size, tmp_path)
    for own in found:
        assert torch.equal(own['gradients'], found[0]['gradients'])
        assert torch.equal(own['teachers'], found[0]['teachers'])
    assert alone['gradients'].abs().amax(dim=1).min() > 1e-2  # each step has something to compare
    torch.testing.assert_close(found[0]['gradients'], alone['gradients'], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found[0]['teachers'], alone['teachers'], atol=1e-6, rtol=1e-6)


# -- a whole runner in two processes ---------------------------------------------------------------------------------


def test_processes_stay_in_step_on_different_images(synthetic_root, tmp_path):
    first, second = in_processes(train, 2, synthetic_root, tmp_path)
    assert not set(first['drawn']) & set(second['drawn'])
    assert torch.equal(first['weights'], second['weights'])
    assert (first['weights'] - first['before']).abs().max() > 1e-4  # they moved


def test_the_guard_decides_for_all_processes(synthetic_root, tmp_path):
    first, second = in_processes(train_guarded, 2, synthetic_root, tmp_path)
    # The main process saw the class gone after the third validation, the other one after the second.
    assert first['scale'] == second['scale'] == 0.5
    assert torch.equal(first['weights'], second['weights'])


def test_each_process_draws_its_own_boxes_and_dropout(synthetic_root, tmp_path):
    first, second = in_processes(train_on_mixed_images, 2, synthetic_root, tmp_path)
    for key in ('boxes', 'numbers'):
        assert len(first[key]) == 2
        assert not any(torch.equal(one, other) for one, other in zip(first[key], second[key]))
    assert torch.equal(first['weights'], second['weights'])


def test_a_resume_is_exact_in_each_process(synthetic_root, tmp_path):
    for rank in in_processes(train_interrupted, 2, synthetic_root, tmp_path):
        assert torch.equal(rank['whole'], rank['resumed'])
