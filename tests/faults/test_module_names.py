"""Modules that a config names, and that the model has or has not."""

import pytest
import torch
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from mmseg.registry import MODELS

from simeps_mmseg.engine.checks.module_names import module_name_problems
from simeps_mmseg.engine.hooks.preflight import PreflightHook
from simeps_mmseg.utils import UserError
from tests.helpers import experiment, make_samples, tiny_branch, tiny_model


def test_modules_that_are_there_are_taken():
    model = MODELS.build(tiny_model())
    cfg = dict(efficient_conv_bn_eval=['branches.0.backbone', 'branches.2'])
    assert not list(module_name_problems(cfg, model))
    assert not list(module_name_problems({}, model))


def test_what_is_part_of_a_branch_is_named():
    (problem,) = module_name_problems(dict(activation_checkpointing='backbone'), MODELS.build(tiny_model()))
    assert problem == (
        "activation_checkpointing: the model has no module 'backbone'; those of the branches are branches.0.backbone, "
        'branches.1.backbone, branches.2.backbone'
    )


def test_a_slip_is_asked_about():
    (problem,) = module_name_problems(
        dict(efficient_conv_bn_eval=['backbone', 'decode_haed']), MODELS.build(tiny_branch())
    )
    assert problem == "efficient_conv_bn_eval: the model has no module 'decode_haed'; did you mean decode_head?"


def test_modules_that_would_learn_nothing_are_refused():
    name = 'branches.0.backbone'
    model = MODELS.build(tiny_model())
    (problem,) = module_name_problems(dict(activation_checkpointing=name), model)
    assert problem.startswith(f'activation_checkpointing: {name!r} would learn nothing')
    turn_on_activation_checkpointing(model, name)  # as mmengine does
    losses = model.branches[0].loss(torch.rand(2, 3, 16, 16), make_samples(2, labeled=True))
    model.parse_losses(losses)[0].backward()
    assert all(weight.grad is None for weight in model.get_submodule(name).parameters())


def test_a_training_is_refused_before_its_first_step(tmp_path):
    from mmengine.runner import Runner

    cfg = experiment(tmp_path, tmp_path)
    cfg.activation_checkpointing = ['backbone']
    runner = Runner.from_cfg(cfg)
    with pytest.raises(UserError, match='the model has no module'):
        PreflightHook().before_run(runner)
