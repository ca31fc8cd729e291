"""Data parallelism: several processes train the same model on different images, and learn what one would of all of them."""

import weakref
from itertools import combinations
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from simeps_mmseg.apis.train import step_by_parts_in_processes
from simeps_mmseg.engine.hooks import PseudoLabelStatisticsHook
from simeps_mmseg.engine.hooks.access import find_hook
from simeps_mmseg.engine.pseudo_label_health import PseudoLabelHealth
from simeps_mmseg.engine.resume import choose_checkpoint
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from simeps_mmseg.models import ByPartsDistributedDataParallel
from simeps_mmseg.models.segmentors import StepRecord
from simeps_mmseg.models.utils import average_statistics, replace_sync_bn
from simeps_mmseg.utils import UserError
from tests.helpers import experiment, make_samples, tiny_branch, tiny_model
from tests.processes import in_processes, join, leave, set_environment


def runner_of(rank, port, world_size, root, folder, max_iters, safe=False, **changes):
    """A runner of one of several processes on the CPU."""
    from mmengine.runner import Runner

    set_environment(rank, port, world_size)
    cfg = experiment(root, folder / 'run', max_iters=max_iters, **changes)
    replace_sync_bn(cfg.model)  # the CPU has none
    cfg.launcher = 'pytorch'
    step_by_parts_in_processes(cfg)
    if safe:
        add_safe_hooks(cfg)
    return Runner.from_cfg(cfg)


def save_and_leave(rank, runner, folder, **more):
    assert isinstance(runner.model, ByPartsDistributedDataParallel)
    weights = torch.cat([p.detach().flatten() for p in runner.model.parameters()])
    torch.save(dict(weights=weights, **more), folder / f'{rank}.pth')
    leave()


def train(rank, port, world_size, root, folder):
    runner = runner_of(rank, port, world_size, root, folder, max_iters=3)
    sampler = runner.train_loop.dataloader.sampler
    drawn = [int(sampler.index_at(i)) for i in range(sampler.batch_size)]
    before = torch.cat([p.detach().flatten() for p in runner.model.module.branches.parameters()])
    runner.train()
    save_and_leave(rank, runner, folder, drawn=drawn, before=before)


def train_guarded(rank, port, world_size, root, folder):
    """Two validations: labels alone, then one after which only the second process thinks that a class is gone."""
    hooks = [dict(type='SemiSupervisedHook', rampup_share=0.5, labels_only_iters=2), dict(type='LabelsOnlyGuardHook')]
    loop = dict(type='IterBasedTrainLoop', max_iters=6, val_interval=2)
    runner = runner_of(rank, port, world_size, root, folder, max_iters=6, custom_hooks=hooks, train_cfg=loop)
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


def train_on_mixed_images(rank, port, world_size, root, folder):
    """What each process draws while it trains: CutMix boxes of the model, and numbers as dropout draws them."""
    model = tiny_model(cut_mix=dict(type='CutMix', prob=1.0))
    runner = runner_of(rank, port, world_size, root, folder, max_iters=3, model=model)
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


def train_interrupted(rank, port, world_size, root, folder):
    """Four steps at once, and four of which two follow a resume; the networks drop features at random."""
    branch = tiny_branch()
    branch.decode_head.dropout_ratio = 0.5
    hooks = [dict(type='SemiSupervisedHook', rampup_share=1.0, rampup_interval=1)]
    weights = []
    for name, stop, resume in (('whole', 4, False), ('cut', 2, False), ('cut', 4, True)):
        changes = dict(model=tiny_model(branch=branch.copy()), custom_hooks=hooks, experiment_name=f'{name}{stop}')
        runner = runner_of(
            rank, port, world_size, root, folder / name, max_iters=4, safe=True, resume=resume, **changes
        )
        runner.register_hook(StopAfter(stop))
        runner.train()
        weights.append(torch.cat([value.double().flatten() for value in runner.model.state_dict().values()]))
    save_and_leave(rank, runner, folder, whole=weights[0], resumed=weights[2])


def train_accumulating(rank, port, world_size, root, folder):
    """Two updates of three batches each, with plain batch norm; a checkpoint within an interval of the statistics."""
    runner = runner_of(
        rank,
        port,
        world_size,
        root,
        folder,
        max_iters=6,
        safe=True,
        model=tiny_model(teacher=dict(type='ExponentialMovingAverage', momentum=0.5)),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01), accumulative_counts=3),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=6, val_interval=3),
        custom_hooks=[dict(type='SemiSupervisedHook', rampup_share=1.0, rampup_interval=1, health_interval=4)],
    )
    before, after = WatchBatchNorm(), WatchBatchNorm()
    runner.register_hook(before, priority='HIGHEST')
    runner.register_hook(after, priority='LOWEST')
    steps = WatchSteps()
    runner.register_hook(steps)
    runner.train()
    moves = [int(teacher.steps) for teacher in runner.model.module.teachers]
    latest = find_hook(runner, PseudoLabelStatisticsHook).latest
    save_and_leave(
        rank, runner, folder, before=before.seen, after=after.seen, steps=steps.seen, moves=moves, latest=latest
    )


def batch_norm_statistics(state):
    """Running means and variances of a state dict, one behind the other."""
    return torch.cat([value.flatten() for key, value in state.items() if key.endswith(('running_mean', 'running_var'))])


class WatchBatchNorm(Hook):
    """Keeps the running statistics that a validation or a checkpoint begins with."""

    def __init__(self):
        self.seen = {}

    def before_val_epoch(self, runner):
        self.seen[f'validation {runner.iter}'] = batch_norm_statistics(runner.model.module.state_dict())

    def before_checkpoint(self, runner):
        self.seen[f'checkpoint {runner.iter + 1}'] = batch_norm_statistics(runner.model.module.state_dict())


class WatchSteps(Hook):
    """Keeps the label maps of each step, but their agreement apart, which counts steps and not pixels."""

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(vars(runner.model.module.last_step))


class StopAfter(Hook):
    """Ends a training after some steps."""

    def __init__(self, steps):
        self.steps = steps

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        runner.train_loop.stop_training = runner.iter + 1 >= self.steps


# -- the same batches in one, two and four processes -----------------------------------------------------------------

IMAGES, STEPS, CLASSES, SIZE = 8, 3, 4, 16  # of each part of a batch
# Changes of the model, and batches per update. An auxiliary head learns from the labelled images alone.
BY_PARTS = [
    (dict(auxiliary=True), 1),
    (dict(auxiliary=True), 2),
    (dict(auxiliary=True, branch_by_branch=True), 1),
    (dict(cross_pseudo=None, similarity=None, consistency_on_labeled=False), 1),  # nothing to learn from the others
]


def linear_model(auxiliary=False, **changes):
    """simEps with teachers whose losses are means over the images or span the processes: no batch norm, no Dice."""
    init_default_scope('mmseg')
    branch = tiny_branch(CLASSES, auxiliary=auxiliary)
    branch.backbone.norm_cfg = dict(type='GN', num_groups=2)
    for head in [branch.decode_head, *([branch.auxiliary_head] if auxiliary else [])]:
        head.norm_cfg = branch.backbone.norm_cfg
        head.loss_decode = dict(type='CrossEntropyLoss')
    torch.manual_seed(0)
    parts = dict(
        cross_pseudo=dict(type='CrossPseudoLoss', dice_share=0.0, loss_weight=1.0),
        similarity=dict(type='SimilarityConsistencyLoss', loss_weight=1.0),
        teacher=dict(type='ExponentialMovingAverage', momentum=0.5),
    )
    model = MODELS.build(tiny_model(branch=branch, **{**parts, **changes}))
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


def train_by_parts(model, rank, world_size, counts):
    """As ``train_steps``, by the model's own step; gradients before each update, of a model with an auxiliary head."""
    segmentor = getattr(model, 'module', model)
    wrapper = OptimWrapper(torch.optim.SGD(segmentor.branches.parameters(), lr=0.05), accumulative_counts=counts)
    wrapper.initialize_count_status(model, 0, STEPS * counts)
    gradients, activations, alive, sums = [], [], [], []
    if model is not segmentor:
        model.register_comm_hook(
            None, lambda state, bucket: sums.append(bucket.index()) or allreduce_hook(None, bucket)
        )
    wrapper.optimizer.register_step_pre_hook(
        lambda *args: gradients.append(torch.cat([p.grad.flatten() for p in segmentor.branches.parameters()]))
    )
    first = next(m for m in segmentor.branches[0].modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_hook(lambda module, args, output: activations.append(weakref.ref(output)))
    segmentor.register_forward_pre_hook(lambda *args: alive.append([ref() is not None for ref in activations]))
    for step in range(STEPS * counts):
        images, samples = part_of_batch(step, rank, world_size)
        model.train_step(dict(inputs=list(128 + 64 * images), data_samples=samples), wrapper)
    return dict(gradients=torch.stack(gradients), alive=alive[:2], sums=sums)


def train_part(rank, port, world_size, folder):
    from mmengine.model import MMDistributedDataParallel

    join(rank, port, world_size)
    model = MMDistributedDataParallel(linear_model().train())
    results = train_steps(model, rank, world_size)
    less_memory = MMDistributedDataParallel(linear_model(branch_by_branch=True).train())
    results.update(branch_by_branch=train_steps(less_memory, rank, world_size))
    by_parts = (ByPartsDistributedDataParallel(linear_model(**changes).train()) for changes, _ in BY_PARTS)
    results.update(
        by_parts=[train_by_parts(model, rank, world_size, counts) for model, (_, counts) in zip(by_parts, BY_PARTS)]
    )
    results.update(statistics=averaged_statistics(rank), health=added_health(rank))
    results.update(resumed=resumed_from(rank, folder))
    torch.save(results, folder / f'{rank}.pth')
    leave()


def resumed_from(rank, folder):
    """What each process resumes from where only the first sees a checkpoint, a broken one, and one elsewhere."""
    seen = folder / 'seen'
    if rank == 0:
        seen.mkdir()
        torch.save(dict(state_dict={}), seen / 'iter_2.pth')
    dist.barrier()
    own = Config(dict(work_dir=str(seen if rank == 0 else folder / 'other'), model={}))
    choose_checkpoint(own)
    dist.barrier()
    if rank == 0:
        (seen / 'iter_2.pth').write_bytes(b'broken')
        torch.save(dict(state_dict={}, optimizer={}, meta=dict(iter=2)), folder / 'chosen.pth')
    dist.barrier()
    with pytest.raises(UserError) as refused:
        choose_checkpoint(Config(dict(work_dir=own.work_dir, model={})))
    with pytest.MonkeyPatch.context() as monkeypatch:
        if rank:
            monkeypatch.setattr(Path, 'is_file', lambda path: False)  # a machine with a disk of its own
        elsewhere = Config(dict(work_dir=own.work_dir, model={}, load_from=str(folder / 'chosen.pth')))
        missing = ''
        try:
            choose_checkpoint(elsewhere)
        except UserError as error:
            missing = str(error)
    return dict(resume=own.resume, load_from=own.load_from, refused=str(refused.value), missing=missing)


def averaged_statistics(rank):
    """Of a layer whose statistics differ by process, and of one whose statistics are the same everywhere."""
    norms = torch.nn.ModuleList([torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)])
    norms[0].running_mean.fill_(rank)
    norms[0].running_var.fill_(1 + rank**2)
    norms[1].running_mean.fill_(0.1)  # no sum of such numbers in float32 is exact
    average_statistics([norms])
    return {key: value.clone() for key, value in norms.state_dict().items()}


def added_health(rank):
    """The statistics of pseudo-labels where process k has k + 1 pixels of class 1, and the first has labels only."""
    health = PseudoLabelHealth(['a', 'b'])
    pseudo = [torch.ones(1, 1, rank + 1, dtype=torch.int64)] if rank else []
    predictions = [torch.zeros(1, 1, 2), torch.tensor([[[0, rank % 2]]])] if rank else []
    health.update(StepRecord(torch.tensor([[[0, 0, 0, rank and 1]]]), pseudo, predictions, 255))
    health.add_up()
    return health.state_dict() | health.compute()


@pytest.fixture(scope='module')
def alone():
    return train_steps(linear_model().train(), rank=0, world_size=1)


@pytest.fixture(scope='module', params=[2, 4])
def found(request, tmp_path_factory):
    return in_processes(train_part, request.param, request.param, tmp_path_factory.mktemp('parts'))


def test_running_statistics_are_averaged(found):
    ranks = torch.arange(float(len(found)))
    for own in found:
        statistics = own['statistics']
        assert torch.equal(statistics['0.running_mean'], ranks.mean().expand(2))
        assert torch.equal(statistics['0.running_var'], (1 + ranks**2).mean().expand(2))
        assert torch.equal(statistics['1.running_mean'], torch.full((2,), 0.1))
        assert torch.equal(statistics['1.running_var'], torch.ones(2))


def test_health_of_pseudo_labels_is_that_of_all(found):
    others = len(found) - 1
    for own in found:
        health = own['health']
        assert health['label_share.b'] == pytest.approx(others / (4 * len(found)))
        assert health['pseudo_share.b'] == 1
        assert health['counts']['_pseudo_labels'].tolist() == [0, sum(range(2, others + 2))]
        odd = (others + 1) // 2  # processes whose two networks agree on one of two pixels
        assert health['agreement'] == pytest.approx(1 - 0.5 * odd / others)


def test_the_first_process_chooses_what_all_resume_from(found):
    for rank, own in enumerate(found):
        resumed = own['resumed']
        assert resumed['resume']
        assert resumed['load_from'].endswith('seen/iter_2.pth')
        assert 'no checkpoint in' in resumed['refused']
        assert ('is not there for this one: a work folder has to be on a file system' in resumed['missing']) == (
            rank > 0
        )


def test_processes_learn_what_one_would_of_all_images(found, alone):
    for own in found:
        assert torch.equal(own['gradients'], found[0]['gradients'])
        assert torch.equal(own['teachers'], found[0]['teachers'])
    assert alone['gradients'].abs().amax(dim=1).min() > 1e-2  # each step has something to compare
    torch.testing.assert_close(found[0]['gradients'], alone['gradients'], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found[0]['teachers'], alone['teachers'], atol=1e-6, rtol=1e-6)


def test_branch_by_branch_gives_the_same_bits_in_several_processes(found):
    for own in found:
        for key, value in own['branch_by_branch'].items():
            assert torch.equal(value, own[key])


@pytest.mark.parametrize('index', range(len(BY_PARTS)))
def test_parts_of_a_batch_in_several_processes_are_those_of_one(index, found):
    changes, counts = BY_PARTS[index]
    expected = train_by_parts(linear_model(**changes).train(), 0, 1, counts)
    assert expected['gradients'].abs().amax(dim=1).min() > 1e-2
    first, second = expected['alive']
    assert not first
    assert second.count(False) == len(second) > 0  # activations of the first part, when the second passes
    for own in (one['by_parts'][index] for one in found):
        assert own['alive'] == expected['alive']
        assert own['sums'] == [0] * STEPS  # over the processes: once per update
        assert torch.equal(own['gradients'], found[0]['by_parts'][index]['gradients'])
        torch.testing.assert_close(own['gradients'], expected['gradients'], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    'option', ['find_unused_parameters=False', 'static_graph=True', 'detect_anomalous_params=True']
)
def test_options_that_do_not_go_with_a_step_by_parts_are_refused(option):
    name, value = option.split('=')
    with pytest.raises(UserError, match=f'model_wrapper_cfg: {option} does not go with a step by parts'):
        ByPartsDistributedDataParallel(linear_model(), **{name: value == 'True'})


def test_a_model_without_parts_is_refused():
    with pytest.raises(UserError, match='Linear has no step by parts; use MMDistributedDataParallel'):
        ByPartsDistributedDataParallel(torch.nn.Linear(1, 1))


def test_a_wrapper_of_the_config_stays(synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path)
    for changes, wrapper in [
        (dict(launcher='none'), None),
        (dict(launcher='pytorch'), 'ByPartsDistributedDataParallel'),
        (
            dict(launcher='pytorch', model_wrapper_cfg=dict(type='MMDistributedDataParallel')),
            'MMDistributedDataParallel',
        ),
        (dict(launcher='pytorch', model=cfg.model.branch), None),
        (dict(launcher='pytorch', train_dataloader=dict(sampler=dict(type='InfiniteSampler'))), None),
    ]:
        changed = Config({**cfg, **changes})
        step_by_parts_in_processes(changed)
        assert (changed.get('model_wrapper_cfg') or {}).get('type') == wrapper


# -- a whole runner in two and four processes -------------------------------------------------------------------------


@pytest.fixture(params=[2, 4])
def world_size(request):
    return request.param


def all_equal(ranks, key):
    """Whether all processes have the same tensor."""
    return all(torch.equal(rank[key], ranks[0][key]) for rank in ranks)


def test_processes_stay_in_step_on_different_images(world_size, synthetic_root, tmp_path):
    ranks = in_processes(train, world_size, world_size, synthetic_root, tmp_path)
    drawn = [index for rank in ranks for index in rank['drawn']]
    assert len(set(drawn)) == len(drawn) == 6 * world_size
    assert all_equal(ranks, 'weights')
    assert (ranks[0]['weights'] - ranks[0]['before']).abs().max() > 1e-4  # they moved


def test_the_guard_decides_for_all_processes(world_size, synthetic_root, tmp_path):
    ranks = in_processes(train_guarded, world_size, world_size, synthetic_root, tmp_path)
    # The main process saw the class gone after the third validation, the second one after the second.
    assert {rank['scale'] for rank in ranks} == {0.5}
    assert all_equal(ranks, 'weights')


def test_each_process_draws_its_own_boxes_and_dropout(world_size, synthetic_root, tmp_path):
    ranks = in_processes(train_on_mixed_images, world_size, world_size, synthetic_root, tmp_path)
    for key in ('boxes', 'numbers'):
        for one, other in combinations(ranks, 2):
            assert len(one[key]) == len(other[key]) == 2
            assert not any(map(torch.equal, one[key], other[key]))
    assert all_equal(ranks, 'weights')


def test_a_resume_is_exact_in_each_process(world_size, synthetic_root, tmp_path):
    for rank in in_processes(train_interrupted, world_size, world_size, synthetic_root, tmp_path):
        assert torch.equal(rank['whole'], rank['resumed'])


def test_what_is_validated_is_what_is_saved_and_health_and_teachers_are_those_of_all(
    world_size, synthetic_root, tmp_path
):
    ranks = in_processes(train_accumulating, world_size, world_size, synthetic_root, tmp_path)
    first = ranks[0]
    moments = ['checkpoint 2', 'validation 3', 'checkpoint 4', 'checkpoint 6', 'validation 6']
    for moment in moments:
        before = [rank['before'][moment] for rank in ranks]
        for one, other in combinations(before, 2):
            assert torch.equal(one, other) == (moment == 'validation 6')  # apart, unless they were just averaged
        for rank in ranks:
            torch.testing.assert_close(rank['after'][moment], torch.stack(before).mean(dim=0))
            assert torch.equal(rank['after'][moment], first['after'][moment])
    saved = torch.load(tmp_path / 'run/iter_6.pth', weights_only=False)['state_dict']
    assert any(key.startswith('teachers.') and key.endswith('running_var') for key in saved)
    assert torch.equal(batch_norm_statistics(saved), first['after']['validation 6'])

    assert all(rank['moves'] == [2, 2, 2] for rank in ranks)

    health = PseudoLabelHealth(['ok', *[key for key in first['latest'] if key.startswith('label_share.')][1:]])
    for step in range(4):
        for rank in ranks:
            health.update(StepRecord(**rank['steps'][step]))
    expected = list(health.compute().values())
    assert all(rank['latest'] == first['latest'] for rank in ranks)
    assert list(first['latest'].values()) == pytest.approx(expected)
    for one, other in combinations(ranks, 2):
        assert one['steps'][3]['labels'].ne(other['steps'][3]['labels']).any()


def test_blocks_that_run_again_are_refused():
    branch = tiny_branch()
    branch.backbone.with_cp = True
    with pytest.raises(UserError, match=r'branches\.0\.backbone\.\S+\.with_cp is on: .* model\.branch_by_branch=True'):
        ByPartsDistributedDataParallel(MODELS.build(tiny_model(branch=branch)))
