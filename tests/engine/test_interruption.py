"""A training that is interrupted ends with the weights of one that is not."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner import Runner

from simeps_mmseg.apis.safe_hooks import add_safe_hooks
from simeps_mmseg.datasets.samplers import Draw
from simeps_mmseg.engine.random_streams import (
    PositionedSampler,
    SeededItems,
    generator_states,
    seeded,
    set_generator_states,
)
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
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.env_cfg.mp_cfg = dict(mp_start_method='fork', opencv_num_threads=0)  # forked threads of OpenCV would hang
    datasets = cfg.train_dataloader.dataset
    for dataset in datasets.get('datasets', [datasets]):
        dataset.pipeline.insert(-1, dict(type='RandomFlip', prob=0.5))
        dataset.pipeline.insert(-1, dict(type='PhotoMetricDistortion'))
    add_safe_hooks(cfg)
    return cfg


def train(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


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


@pytest.mark.parametrize('during_validation', [False, True])
@pytest.mark.parametrize(('method', 'workers'), [('simeps', 0), ('simeps_plus', 0), ('simeps', 2), ('simeps_plus', 2)])
def test_a_cut_changes_no_weight(synthetic_root, tmp_path, method, workers, during_validation):
    whole = train(interruptible(synthetic_root, tmp_path / 'whole', method, workers))
    cut_off(interruptible(synthetic_root, tmp_path / 'cut', method, workers), 4 + (not during_validation), during_validation)
    resumed = train(interruptible(synthetic_root, tmp_path / 'cut', method, workers, resume=True))
    assert_same_weights(whole, resumed)
    scores = [runner.message_hub.get_scalar('val/mIoU_fg').data[0].tolist() for runner in (whole, resumed)]
    assert scores[0] == scores[1]
    best = [sorted(file.name for file in (tmp_path / name).glob('best_*')) for name in ('whole', 'cut')]
    assert best[0] == best[1] and len(best[0]) == 1
