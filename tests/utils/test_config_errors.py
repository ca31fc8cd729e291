"""Errors of MMSegmentation, mmengine and PyTorch name the keys of the config that they are about."""

import errno

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from torch import nn

from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_errors import config_keys_named
from tests.helpers import experiment, make_samples, tiny_branch, tiny_model


def model_config(**changes) -> Config:
    """A network with changes by dotted key."""
    branch = tiny_branch()
    for part in (branch.backbone, branch.decode_head):
        part.norm_cfg.type = 'BN'
    cfg = Config(dict(norm=dict(type='UNet'), model=branch))
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'model.decode_head.type': 'FCM'}, r'model\.decode_head\.type: FCM is not in the mmseg::model registry$'),
        ({'model.backbone.base_chanels': 4}, r'model\.backbone\.base_chanels: .*; did you mean base_channels\?$'),
        ({'model.decode_head.type': 'FCNHaed'}, r'model\.decode_head\.type: FCNHaed is not in .*; did you mean FCNHead\?$'),
        ({'model.backbone.strides': (1,)}, r'model\.backbone: The length of strides .* \(AssertionError, mmseg/.*unet\.py'),
        ({'model.backbone.norm_cfg.type': 'XN'}, r'model\.backbone: .* registry .*\(KeyError, mmcv/.*\.py:\d+\)$'),
        ({'model.decode_head.loss_decode': [dict(type='DiceLoss', slip=1)]}, r'model\.decode_head\.loss_decode\.0\.slip: '),
        ({'model.decode_head': None}, r'model: cfg should be a dict, .* but got .*NoneType.* \(TypeError, mmengine/'),
    ],
)  # fmt: skip
def test_what_cannot_be_built(changes, says):
    cfg = model_config(**changes)
    with pytest.raises(UserError, match=f'^the config cannot be built: {says}') as raised, config_keys_named(cfg):
        MODELS.build(cfg.model)
    assert raised.value.__cause__ is not None


def test_a_branch_built_three_times_is_one_place():
    cfg = Config(dict(model=tiny_model(), branch=tiny_branch()))
    cfg.model.branch.backbone.depht = cfg.branch.backbone.depht = 3
    with pytest.raises(UserError, match=r'built: model\.branch\.backbone\.depht: '), config_keys_named(cfg):
        MODELS.build(cfg.model)


def test_a_part_that_stands_in_several_places_names_them_all():
    parts = [dict(type='BaseSegDataset', speed=1, data_root=root) for root in 'aab']
    names = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    cfg = Config({name: dict(dataset=part) for name, part in zip(names, parts)})
    says = r'built: train_dataloader\.dataset\.speed or val_dataloader\.dataset\.speed: '
    with pytest.raises(UserError, match=says), config_keys_named(cfg):
        DATASETS.build(cfg.val_dataloader.dataset)


@pytest.mark.parametrize(
    ('part', 'value', 'says'),
    [
        (
            'train_cfg',
            dict(by_epoch=False, max_iter=9),
            r"train_cfg\.max_iter: .*unexpected keyword argument 'max_iter'",
        ),
        ('val_cfg', dict(slip=9), r"val_cfg\.slip: .*unexpected keyword argument 'slip'"),
        ('log_processor', dict(by_epoc=False), r"log_processor\.by_epoc: .*unexpected keyword argument 'by_epoc'"),
        ('param_scheduler', dict(power=0.9), r'param_scheduler: Each value of `param_scheduler` should be a dict'),
    ],
)
def test_parts_that_the_runner_builds_without_a_type(part, value, says, synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path, semi=False, experiment_name=f'untyped_{part}', **{part: value})
    with pytest.raises(UserError, match=f'^the config cannot be built: {says}'), config_keys_named(cfg):
        Runner.from_cfg(cfg).train()


def test_options_of_loaders_and_optimisers():
    cfg = Config(
        dict(
            train_dataloader=dict(batch_size=1, num_worker=0, dataset=[0], sampler=[0]),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=-1.0)),
        )
    )
    loader = r"train_dataloader\.num_worker: .*unexpected keyword argument 'num_worker'$"
    with pytest.raises(UserError, match=loader), config_keys_named(cfg):
        Runner.build_dataloader(cfg.train_dataloader)
    rate = r'optim_wrapper\.optimizer: Invalid learning rate: -1\.0 \(ValueError, torch/.*\)$'
    with pytest.raises(UserError, match=rate), config_keys_named(cfg):
        build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        (
            {'model.decode_head.in_channels': 8},
            r'model\.decode_head cannot be .*\(RuntimeError in Conv2d decode_head\.convs',
        ),
        (
            {'model.decode_head.in_index': 7},
            r'model\.decode_head cannot be .*\(IndexError in FCNHead decode_head, mmseg/',
        ),
        ({'model.backbone.in_channels': 4}, r'model\.backbone cannot be .*4 channels.*\. Compare its options'),
    ],
)
def test_what_cannot_be_computed(changes, says):
    cfg = model_config(**changes)
    model = MODELS.build(cfg.model)
    with pytest.raises(UserError, match=says), config_keys_named(cfg):
        model(torch.rand(2, 3, 16, 16), make_samples(2, labeled=True), mode='loss')


def test_a_branch_that_cannot_be_computed():
    cfg = Config(dict(model=tiny_model()))
    cfg.model.branch.decode_head.in_channels = 8
    for part in (cfg.model.branch.backbone, cfg.model.branch.decode_head):
        part.norm_cfg.type = 'BN'
    model = MODELS.build(cfg.model)
    samples = make_samples(2, labeled=True) + make_samples(2, labeled=False)
    says = (
        r'^model\.branch\.decode_head cannot be computed with what it is given: .* in Conv2d branches\.0\.decode_head'
    )
    with pytest.raises(UserError, match=says), config_keys_named(cfg):
        model(torch.rand(4, 3, 16, 16), samples, mode='loss')


class OfAUser(nn.Module):
    """A module with an error of its own."""

    def __init__(self, error: Exception, when: str) -> None:
        super().__init__()
        self.error = error
        if when == 'built':
            raise error

    def forward(self, images: torch.Tensor) -> None:
        raise self.error


@pytest.mark.parametrize(
    ('error', 'when'),
    [
        (AttributeError('a slip in its code'), 'built'),
        (RuntimeError('a slip in its code'), 'called'),
        (OSError(errno.ENOSPC, 'No space left on device'), 'built'),
        (MemoryError(), 'built'),
        (UserError('says it all'), 'built'),
    ],
)
def test_errors_of_something_else_stay_what_they_are(error, when):
    part = dict(type=OfAUser, error=error, when=when)
    cfg = Config(dict(model=dict(branch=dict(type='UNet'))))
    with pytest.raises(type(error)) as raised, config_keys_named(cfg):
        MODELS.build(part)(torch.ones(1))
    assert raised.value is error
