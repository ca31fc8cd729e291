import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from benchmarks.similarity_term import GradientNormHook, gradient_norms, measure_gradients, measure_values
from simeps_mmseg.apis.prepare_data import prepare_data
from simeps_mmseg.utils import UserError
from tests.helpers import experiment


def test_norms_are_of_the_sums_of_the_terms():
    branch = nn.Linear(2, 1, bias=False)
    weight = branch.weight
    losses = {
        'branch_0.decode.loss_ce': 3 * weight[0, 0],
        'branch_0.decode.loss_dice': 4 * weight[0, 1],
        'branch_0.decode.acc_seg': weight.sum(),
        'labeled.loss_cross_pseudo_0': weight[0, 0],
        'unlabeled.loss_cross_pseudo_0': weight[0, 0],
        'unlabeled.loss_similarity_logits': 0.5 * weight[0, 1],
    }
    assert gradient_norms(branch, losses) == dict(labels=5.0, pseudo=2.0, similarity=0.5)


def test_measuring_leaves_the_training_as_it_is(synthetic_root, tmp_path, capsys):
    hooks = [dict(type='SemiSupervisedHook', rampup_share=0.5, labels_only_iters=1, health_interval=0)]
    plain = Runner.from_cfg(experiment(synthetic_root, tmp_path / 'plain', custom_hooks=hooks))
    plain.train()
    watched = Runner.from_cfg(experiment(synthetic_root, tmp_path / 'watched', custom_hooks=hooks))
    hook = GradientNormHook([0, 3])
    watched.register_hook(hook)
    watched.train()
    assert all(torch.equal(a, b) for a, b in zip(plain.model.parameters(), watched.model.parameters()))
    first, last = hook.lines
    assert (first['step'], first['ramp'], first['agreement']) == (0, 0, None)
    assert 'similarity' not in first
    assert min(last['labels'], last['pseudo'], last['similarity'], last['agreement']) > 0


def test_gradients_are_measured_in_a_folder_that_goes(synthetic_root, tmp_path):
    cfg = experiment(synthetic_root, tmp_path / 'run', max_iters=1)
    cfg.default_hooks.non_finite = dict(type='NonFiniteHook')
    cfg.train_dataloader.num_workers = 1
    (line,) = measure_gradients(cfg, [0])
    assert line['step'] == 0
    assert not (tmp_path / 'run').exists()


def test_values_need_a_reference(synthetic_root, tmp_path):
    with pytest.raises(UserError, match='relative to those of 16 images, the test set has 6'):
        next(measure_values(experiment(synthetic_root, tmp_path), None))


def test_values_refer_to_sixteen_images(tmp_path):
    prepare_data('synthetic', data_root=tmp_path, num_train=40, num_test=32, size=32, fractions=[25])
    lines = list(measure_values(experiment(tmp_path, tmp_path / 'run'), None))
    assert [line['batch'] for line in lines] == [2, 4, 8, 16, 32]
    released = [line['released'] for line in lines]
    assert released == sorted(released, reverse=True)
    assert released[3] == 1.0
    others = [line for line in lines if line['batch'] != 16]
    assert all(abs(line['referred'] - 1) < abs(line['released'] - 1) / 2 for line in others)
