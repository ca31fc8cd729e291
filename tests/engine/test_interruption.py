"""A training that is interrupted ends with the weights of one that is not."""

import os
import pickle
import random
import signal
from functools import cache

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator

from simeps_mmseg.apis.train import train as run_training
from simeps_mmseg.datasets.samplers import Draw
from simeps_mmseg.engine import StopSignalHook
from simeps_mmseg.engine.hooks.missed_validation import is_due
from simeps_mmseg.engine.hooks.stop_signals import RESUMABLE, end_if_asked
from simeps_mmseg.engine.randomness import (
    PositionedSampler,
    SeededItems,
    generator_states,
    seeded,
    set_generator_states,
)
from simeps_mmseg.engine.resume import newest_whole
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from tests.helpers import experiment, tiny_branch, tiny_model

VIEW = dict(type='RandomView', transforms=[dict(type='ColorJitter', brightness=0.3, p=0.8)])
MODELS = dict(
    simeps=dict(),
    simeps_plus=dict(
        teacher=dict(type='ExponentialMovingAverage', momentum=0.1), view=VIEW, cut_mix=dict(type='CutMix')
    ),
)


def interruptible(data_root, folder, method='simeps', workers=0, max_iters=6, val_interval=2, **changes):
    """An experiment in which images are flipped at random and the networks drop features."""
    cfg = experiment(
        data_root,
        folder,
        max_iters=max_iters,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=val_interval),
        experiment_name=folder.name,
        **changes,
    )
    if 'model' not in changes:
        branch = tiny_branch()
        branch.decode_head.dropout_ratio = 0.3
        cfg.model = tiny_model(branch=branch, test_cfg=dict(branch_predictions=True), **MODELS[method])
    cfg.default_hooks.checkpoint.update(save_best='mIoU_fg', rule='greater', max_keep_ckpts=2)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.env_cfg.mp_cfg = dict(mp_start_method='fork', opencv_num_threads=0)  # forked threads of OpenCV would hang
    pipeline = cfg.train_dataloader.dataset.get('labeled', cfg.train_dataloader.dataset).pipeline
    pipeline.insert(-1, dict(type='RandomFlip', prob=0.5))
    pipeline.insert(-1, dict(type='PhotoMetricDistortion'))
    add_safe_hooks(cfg)
    return cfg


def train(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


@pytest.fixture(scope='module')
def whole_training(synthetic_root, tmp_path_factory):
    """Trainings that nothing interrupts, each done once for all that are compared with it; without workers."""

    @cache
    def trained(method, val_interval):
        folder = tmp_path_factory.mktemp('whole') / f'{method}_{val_interval}'
        torch.manual_seed(0)
        return train(interruptible(synthetic_root, folder, method, val_interval=val_interval)), folder

    return trained


def cut_off(cfg, step, during_validation=False):
    """Train until a step, and be cut off in it, or in the validation before it."""
    runner = Runner.from_cfg(cfg)
    loop = runner.train_loop
    original = loop.run_iter

    def run_iter(batch):
        if runner.iter == step:
            raise KeyboardInterrupt
        original(batch)

    def run_validation():
        if runner.iter == step:
            torch.rand(3)  # as the data loader does
            raise KeyboardInterrupt
        return validate()

    if during_validation:
        validate, runner.val_loop.run = runner.val_loop.run, run_validation
    loop.run_iter = run_iter
    with pytest.raises(KeyboardInterrupt):
        runner.train()


def assert_same_weights(one, other):
    for (name, value), same in zip(one.model.state_dict().items(), other.model.state_dict().values(), strict=True):
        assert torch.equal(value, same), name


@pytest.mark.parametrize(
    ('method', 'workers', 'during_validation'),
    [('simeps', 0, False), ('simeps_plus', 0, True), ('simeps', 2, True), ('simeps_plus', 2, False)],
)
def test_a_cut_changes_no_weight(synthetic_root, tmp_path, whole_training, method, workers, during_validation):
    whole, folder = whole_training(method, val_interval=2)
    cut_off(
        interruptible(synthetic_root, tmp_path / 'cut', method, workers), 4 + (not during_validation), during_validation
    )
    resumed = train(interruptible(synthetic_root, tmp_path / 'cut', method, workers, resume=True))
    assert_same_weights(whole, resumed)
    scores = [runner.message_hub.get_scalar('val/mIoU_fg').data[0].tolist() for runner in (whole, resumed)]
    assert scores[0] == scores[1]
    best = [sorted(file.name for file in place.glob('best_*')) for place in (folder, tmp_path / 'cut')]
    assert best[0] == best[1]
    assert len(best[0]) == 1


def test_decoded_images_that_are_kept_change_no_weight(synthetic_root, tmp_path, whole_training):
    def kept(**changes):
        cfg = interruptible(synthetic_root, tmp_path / 'cut', workers=1, **changes)
        cfg.train_dataloader.dataset.cache_bytes = 2**26
        return cfg

    cut_off(kept(), 5)
    assert_same_weights(whole_training('simeps', val_interval=2)[0], train(kept(resume=True)))


def test_workers_change_no_weight(synthetic_root, tmp_path):
    runs = [train(interruptible(synthetic_root, tmp_path / str(n), workers=n, max_iters=2)) for n in (0, 2)]
    assert_same_weights(*runs)


@pytest.mark.parametrize('semi', [False, True])
def test_without_a_seed_images_come_in_the_same_order(synthetic_root, tmp_path, semi):
    """Stock configs have none; loaders are built before mmengine takes that of the checkpoint."""
    cfg = experiment(
        synthetic_root, tmp_path / 'run', semi, max_iters=2, randomness=dict(), experiment_name=f'no_seed_{semi}'
    )
    cfg.dump(tmp_path / 'config.py')
    before = run_training(str(tmp_path / 'config.py'))
    longer = ['train_cfg.max_iters=4', f'experiment_name=no_seed_{semi}_on']
    after = run_training(str(tmp_path / 'config.py'), resume=True, options=longer)
    assert (before.iter, after.iter) == (2, 4)
    assert after.train_dataloader.sampler.seed == before.train_dataloader.sampler.seed == before.seed == after.seed
    other = run_training(str(tmp_path / 'config.py'), options=[f'experiment_name=no_seed_{semi}_anew'])
    assert other.seed != before.seed


def test_a_supervised_training_goes_on_too(synthetic_root, tmp_path):
    def labels_alone(name, **changes):
        cfg = experiment(synthetic_root, tmp_path / name, semi=False)
        source = cfg.train_dataloader
        model = tiny_branch()
        return interruptible(
            synthetic_root, tmp_path / name, model=model, train_dataloader=source, custom_hooks=[], **changes
        )

    whole = train(labels_alone('whole'))
    cut_off(labels_alone('cut'), 5)
    assert_same_weights(whole, train(labels_alone('cut', resume=True)))


@pytest.mark.parametrize('when', ['step', 'validation'])
@pytest.mark.parametrize('name', ['SIGTERM', 'SIGHUP'])
def test_a_signal_saves_the_step_and_says_that_it_can_go_on(synthetic_root, tmp_path, whole_training, when, name):
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL)  # nohup leaves SIGHUP ignored, and so does the hook
    before = signal.getsignal(number)
    whole, _ = whole_training('simeps_plus', val_interval=3)
    runner = Runner.from_cfg(interruptible(synthetic_root, tmp_path / 'cut', 'simeps_plus', val_interval=3))
    part = runner.train_loop if when == 'step' else runner.val_loop
    original = part.run_iter

    def run_iter(*args):
        if runner.iter == (2 if when == 'step' else 3):
            os.kill(os.getpid(), number)
        original(*args)

    part.run_iter = run_iter
    with pytest.raises(SystemExit) as ending:
        runner.train()
    assert ending.value.code == RESUMABLE == 75
    assert newest_whole(tmp_path / 'cut').path.name == 'iter_3.pth'
    assert signal.getsignal(number) is before
    resumed = train(interruptible(synthetic_root, tmp_path / 'cut', 'simeps_plus', val_interval=3, resume=True))
    assert_same_weights(whole, resumed)


def test_a_signal_within_a_sum_of_gradients_waits_for_its_end(synthetic_root, tmp_path):
    def summed(name, **changes):
        wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3), accumulative_counts=2)
        return interruptible(synthetic_root, tmp_path / name, optim_wrapper=wrapper, val_interval=3, **changes)

    whole = train(summed('whole'))
    runner = Runner.from_cfg(summed('cut'))
    original = runner.train_loop.run_iter

    def run_iter(batch):
        if runner.iter == 2:  # the first of a sum; a validation comes before the second
            os.kill(os.getpid(), signal.SIGTERM)
        original(batch)

    runner.train_loop.run_iter = run_iter
    with pytest.raises(SystemExit):
        runner.train()
    assert newest_whole(tmp_path / 'cut').path.name == 'iter_4.pth'
    assert_same_weights(whole, train(summed('cut', resume=True)))


@pytest.mark.parametrize('loader_breaks', [False, True])
def test_within_a_validation_of_the_average_the_network_is_saved(synthetic_root, tmp_path, loader_breaks):
    """``EMAHook`` exchanges network and average for each validation. A loader breaks where its workers get the signal, too."""

    def averaged(name, **changes):
        cfg = interruptible(synthetic_root, tmp_path / name, val_interval=3, **changes)
        cfg.default_hooks.checkpoint.interval = 6
        cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
        return cfg

    whole = train(averaged('whole'))
    runner = Runner.from_cfg(averaged('cut'))
    original = runner.val_loop.run_iter

    def run_iter(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        if loader_breaks:
            raise RuntimeError('DataLoader worker is killed by signal: Terminated')
        original(*args)

    runner.val_loop.run_iter = run_iter
    if loader_breaks:
        with pytest.raises(RuntimeError, match='killed by signal'):
            runner.train()
    with pytest.raises(SystemExit):
        end_if_asked(runner) if loader_breaks else runner.train()
    assert_same_weights(whole, train(averaged('cut', resume=True)))


@pytest.mark.parametrize(('step', 'due'), [(5, False), (6, True), (8, True), (9, False), (12, True), (15, False)])
def test_a_missed_validation_goes_by_the_interval_of_its_step(synthetic_root, tmp_path, step, due):
    """Every 3 steps, from step 8 on every 4: mmengine changes the interval after a step."""
    cfg = experiment(synthetic_root, tmp_path, max_iters=20, experiment_name=f'interval_{step}')
    cfg.train_cfg.update(val_interval=5, dynamic_intervals=[(1, 3), (8, 4)])
    runner = Runner.from_cfg(cfg)
    runner.train_loop._iter = step
    assert is_due(runner) == due


@pytest.mark.parametrize(
    ('epochs_before', 'code', 'words'),
    [
        (
            1,
            RESUMABLE,
            'SIGTERM: no checkpoint of iteration {}; what was trained after epoch_1.pth is lost; continue with',
        ),
        (0, 128 + signal.SIGTERM, 'SIGTERM: 1 iteration trained and no checkpoint written yet: they are lost'),
    ],
)
def test_a_signal_promises_no_more_than_checkpoints_by_epochs_keep(
    synthetic_root, tmp_path, monkeypatch, epochs_before, code, words
):
    said = []
    monkeypatch.setattr('simeps_mmseg.engine.hooks.stop_signals.print_log', lambda text, *_: said.append(text))
    cfg = experiment(synthetic_root, tmp_path / 'run', semi=False, experiment_name=f'by_epochs_{epochs_before}')
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=9)
    cfg.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
    cfg.param_scheduler = []
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    add_safe_hooks(cfg)
    runner = Runner.from_cfg(cfg)
    original, steps = runner.train_loop.run_iter, epochs_before * len(runner.train_dataloader) + 1

    def run_iter(*args):
        if runner.iter == steps - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        original(*args)

    runner.train_loop.run_iter = run_iter
    with pytest.raises(SystemExit) as ending:
        runner.train()
    assert ending.value.code == code
    (text,) = said
    assert text.startswith(words.format(steps))


def test_a_second_signal_ends_at_once():
    hook = StopSignalHook()
    hook._before = {signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    children = signal.getsignal(signal.SIGCHLD)
    try:
        hook._receive(signal.SIGTERM, None)
        assert hook.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is hook._before[signal.SIGTERM]
    finally:
        signal.signal(signal.SIGCHLD, children)


class TestRandomStreams:
    def numbers(self):
        return random.random(), np.random.rand(), torch.rand(()).item()

    def test_states_lead_to_the_same_numbers(self):
        states = generator_states()
        expected = self.numbers()
        set_generator_states(states)
        assert self.numbers() == expected

    def test_inside_a_seed_nothing_depends_on_what_was_and_nothing_changes_it(self):
        states = generator_states()
        with seeded((0, 1, 7)):
            first = self.numbers()
        outside = self.numbers()
        set_generator_states(states)
        assert self.numbers() == outside
        with seeded((0, 1, 7)):
            assert self.numbers() == first
        with seeded((0, 1, 8)):
            assert not set(self.numbers()) & set(first)

    def test_a_draw_stays_one_on_its_way_to_a_worker(self):
        draw = pickle.loads(pickle.dumps(Draw(3, (1, 12))))
        assert (draw, draw.position) == (3, (1, 12))
        assert [10, 11, 12, 13][draw] == 13

    def test_positions_count_over_all_processes(self):
        draws = [list(PositionedSampler([5, 6], start=10, rank=rank, world_size=2)) for rank in (0, 1)]
        assert [[draw.position for draw in own] for own in draws] == [[(0, 20), (0, 22)], [(0, 21), (0, 23)]]

    def test_a_sample_depends_on_its_position_alone(self):
        class Noise:
            def __getitem__(self, index):
                return index, np.random.rand()

        load = SeededItems(Noise(), seed=3)
        draws = [Draw(4, (0, 1)), Draw(4, (0, 2))]
        one, other = load(draws)
        assert load(draws[::-1]) == [other, one]
        assert one != other
        assert load([0])[0][0] == 0

    @pytest.mark.skipif(
        not hasattr(_InfiniteDataloaderIterator, 'skip_iter'),
        reason='this mmengine loads the skipped batches again, which draws from the same generators',
    )
    def test_by_process_as_in_mmsegmentation(self, synthetic_root, tmp_path):
        def config(name, **changes):
            cfg = interruptible(synthetic_root, tmp_path / name, **changes)
            cfg.default_hooks.random_streams.by_position = False
            return cfg

        whole = train(config('whole'))
        cut_off(config('cut'), 5)
        assert_same_weights(whole, train(config('cut', resume=True)))
