"""Weights of one trained network as those of every branch."""

import json

import pytest
import torch
from mmcv.cnn.bricks import DropPath
from mmengine.optim import OptimWrapper
from mmengine.runner import load_state_dict
from mmseg.registry import MODELS

from simeps_mmseg.engine.checks import check_start
from simeps_mmseg.utils import UserError
from tests.helpers import make_samples, tiny_branch, tiny_model

VIEW = dict(type='RandomView', transforms=[dict(type='GreyNoise')])
TEACHER = dict(type='ExponentialMovingAverage', momentum=0.01)


@pytest.fixture
def said(monkeypatch):
    """What is logged."""
    texts = []

    def log(text, *args, **kwargs):
        if 'SyncBN' not in text:
            texts.append(text)

    for place in ('models.segmentors.consistency_weights', 'engine.checks.start'):
        monkeypatch.setattr(f'simeps_mmseg.{place}.print_log', log)
    return texts


def equal(network, state):
    own = network.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[key], state[key]) for key in own)


@pytest.fixture
def plain():
    return {
        key: torch.rand_like(value.float()).to(value) for key, value in MODELS.build(tiny_branch()).state_dict().items()
    }


def test_every_branch_and_teacher_starts_from_it(plain):
    model = MODELS.build(tiny_model(teacher=TEACHER))
    assert model.trained_branches == [False] * 3
    load_state_dict(model, plain)
    assert model.trained_branches == [True] * 3
    assert all(equal(branch, plain) for branch in model.branches)
    assert all(equal(teacher.module, plain) for teacher in model.teachers)
    weights = [next(branch.parameters()) for branch in model.branches]
    assert len({weight.data_ptr() for weight in weights}) == 3  # copies, not one tensor


def test_it_predicts_what_that_network_predicts(plain):
    model, network = MODELS.build(tiny_model(teacher=TEACHER)).eval(), MODELS.build(tiny_branch()).eval()
    load_state_dict(model, plain), load_state_dict(network, plain)
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(model(images), network(images))


def test_branches_of_another_kind_take_what_fits(plain):
    wider = tiny_branch()
    wider.backbone.base_channels = 8
    wider.decode_head.update(in_channels=8, channels=8)
    model = MODELS.build(tiny_model(branch=None, branches=[tiny_branch(), wider, tiny_branch()]))
    before = {key: value.clone() for key, value in model.branches[1].state_dict().items()}
    load_state_dict(model, plain)
    assert equal(model.branches[0], plain)
    assert equal(model.branches[2], plain)
    fits = {key for key in plain if plain[key].shape == before[key].shape}
    after = model.branches[1].state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before.keys() - fits)
    assert model.trained_branches == [True, False, True]


def test_a_head_of_other_classes_is_no_trained_start(plain, tmp_path, said):
    other = {
        **plain,
        'decode_head.conv_seg.weight': torch.zeros(7, 4, 1, 1),
        'decode_head.conv_seg.bias': torch.zeros(7),
    }
    torch.save(dict(state_dict=other), tmp_path / 'other.pth')
    model = MODELS.build(tiny_model())
    check_start(str(tmp_path / 'other.pth'), model)
    assert len(said) == 3
    assert 'branch 2 takes what fits, and 2 weights, such as decode_head.conv_seg.weight, do not' in said[2]
    load_state_dict(model, other)
    assert model.trained_branches == [False] * 3
    key = 'backbone.encoder.0.0.convs.0.conv.weight'
    assert torch.equal(model.branches[2].state_dict()[key], plain[key])


def test_of_a_plain_network_what_does_not_fit_is_said(plain, tmp_path, said):
    network = MODELS.build(tiny_branch())
    torch.save(dict(state_dict=plain), tmp_path / 'plain.pth')
    check_start(str(tmp_path / 'plain.pth'), network)
    assert said == []
    other = {key: value[:2] if 'conv_seg' in key else value for key, value in plain.items()}
    torch.save(dict(state_dict=other), tmp_path / 'other.pth')
    check_start(str(tmp_path / 'other.pth'), network)
    (text,) = said
    assert '2 weights of the model, such as decode_head.conv_seg.weight, do not fit and begin anew' in text


def test_a_plain_checkpoint_that_fits_is_accepted(plain, tmp_path, said):
    torch.save(dict(state_dict=plain), tmp_path / 'plain.pth')
    check_start(str(tmp_path / 'plain.pth'), MODELS.build(tiny_model(view=VIEW)))
    assert said == []


def test_branches_that_start_equal_and_stay_equal_are_warned_of(plain, tmp_path, said):
    torch.save(dict(state_dict=plain), tmp_path / 'plain.pth')
    check_start(str(tmp_path / 'plain.pth'), MODELS.build(tiny_model()))
    (text,) = said
    assert 'nothing in the config makes them differ (no view, no dropout)' in text
    model = MODELS.build(tiny_model())
    load_state_dict(model, plain)
    model.train().set_rampup(1.0)
    wrapper = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.01))
    for seed in range(3):
        images = torch.randint(0, 256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
        samples = make_samples(2, True) + make_samples(2, False)
        model.train_step(dict(inputs=list(images), data_samples=samples), wrapper)
    first, *others = (branch.state_dict() for branch in model.branches)
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)


def test_one_mix_for_all_branches_does_not_make_them_differ(plain, tmp_path, said):
    torch.save(dict(state_dict=plain), tmp_path / 'plain.pth')
    check_start(str(tmp_path / 'plain.pth'), MODELS.build(tiny_model(cut_mix=dict(type='CutMix'))))
    assert len(said) == 1


@pytest.mark.parametrize('place', ['decode_head', 'backbone', 'points', 'checkpoint'])
def test_what_makes_branches_differ_is_seen(place, plain, tmp_path, said):
    branch = tiny_branch()
    if place == 'decode_head':
        branch.decode_head.dropout_ratio = 0.1
    model = MODELS.build(tiny_model(branch=branch))
    if place == 'points':
        model.branches[0].decode_head.get_points_train = None  # PointRend's
    if place == 'backbone':
        model.branches[0].backbone.drop_path = DropPath(0.1)  # of MMSegmentation's transformers
    state = model.state_dict() if place == 'checkpoint' else plain
    torch.save(dict(state_dict=state), tmp_path / 'start.pth')
    check_start(str(tmp_path / 'start.pth'), model)
    assert said == []


def test_a_start_that_was_still_learning_is_warned_of(plain, tmp_path, said):
    torch.save(dict(state_dict=plain, meta=dict(iter=600)), tmp_path / 'iter_600.pth')
    log = tmp_path / '20260101_000000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    scores = {200: 10.0, 400: 30.0, 600: 42.0}
    log.write_text(''.join(json.dumps(dict(mIoU_fg=score, step=step)) + '\n' for step, score in scores.items()))
    check_start(str(tmp_path / 'iter_600.pth'), MODELS.build(tiny_model(view=VIEW)))
    (text,) = said
    assert 'rose above all before, by 60.0 points per 1,000 steps' in text


def test_weights_of_something_else_are_refused(tmp_path):
    torch.save(dict(state_dict={'fc.weight': torch.zeros(1)}), tmp_path / 'other.pth')
    with pytest.raises(UserError, match='no weight of this model, nor of one of its branches'):
        check_start(str(tmp_path / 'other.pth'), MODELS.build(tiny_model()))


def test_teachers_that_a_checkpoint_lacks_are_copies_of_its_branches():
    state = MODELS.build(tiny_model()).state_dict()
    model = MODELS.build(tiny_model(teacher=TEACHER))
    load_state_dict(model, state)
    assert all(equal(teacher.module, branch.state_dict()) for teacher, branch in zip(model.teachers, model.branches))


class TestLabelsOnly:
    def test_unlabeled_images_are_passed_over(self):
        model = MODELS.build(tiny_model())
        model.set_rampup(0.0)
        seen = []
        model.branches[0].backbone.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
        losses = model.loss(torch.randn(6, 3, 16, 16), make_samples(2, True) + make_samples(4, False))
        assert seen == [2]
        assert {key.split('.')[0] for key in losses} == {'branch_0', 'branch_1', 'branch_2'}

    def test_teachers_are_copies_until_the_ramp_begins(self):
        model = MODELS.build(tiny_model(teacher=TEACHER)).train()
        for copies in (True, True, False, False):
            model.labels_alone = copies
            model.update_teachers()
            weight, average = (next(one.parameters()) for one in (model.branches[1], model.teachers[1].module))
            assert torch.equal(weight, average) == copies
            with torch.no_grad():
                weight.add_(1.0)


def test_a_ramp_that_nobody_sets_is_warned_of_once(said):
    model = MODELS.build(tiny_model())
    batch = torch.randn(4, 3, 16, 16), make_samples(2, True) + make_samples(2, False)
    model.loss(*batch), model.loss(*batch)
    assert len(said) == 1
    assert 'CrossPseudoLoss.ramp=True, but nothing sets the ramp' in said[0]


def test_a_checkpoint_of_several_branches_that_does_not_fit_is_no_trained_start():
    other = MODELS.build(tiny_model(branch=tiny_branch(7))).state_dict()
    model = MODELS.build(tiny_model())
    load_state_dict(model, other)
    assert model.trained_branches == [False] * 3
    load_state_dict(model, MODELS.build(tiny_model()).state_dict())
    assert model.trained_branches == [True] * 3


def test_what_no_branch_takes_is_still_unexpected(plain):
    model = MODELS.build(tiny_model())
    found = torch.nn.Module.load_state_dict(model, {**plain, 'fc.weight': torch.zeros(1)}, strict=False)
    assert found.unexpected_keys == ['fc.weight']


def test_torch_loads_a_plain_network_strictly(plain):
    model = MODELS.build(tiny_model(teacher=TEACHER))
    torch.nn.Module.load_state_dict(model, plain, strict=True)
    assert all(equal(teacher.module, plain) for teacher in model.teachers)


def test_a_scale_of_zero_leaves_labels_alone():
    model = MODELS.build(tiny_model())
    model.set_rampup(1.0)
    batch = torch.randn(4, 3, 16, 16), make_samples(2, True) + make_samples(2, False)
    whole = model.eval().loss(*batch)
    model.consistency_scale = 0.5
    half = model.loss(*batch)
    for key in ('unlabeled.loss_cross_pseudo_1', 'labeled.loss_similarity_logits'):
        torch.testing.assert_close(half[key], 0.5 * whole[key])
    torch.testing.assert_close(half['branch_0.decode.loss_ce'], whole['branch_0.decode.loss_ce'])
    model.consistency_scale = 0.0
    assert not any('labeled' in key for key in model.loss(*batch))


@pytest.mark.parametrize('in_branches', [False, True])
def test_a_checkpoint_of_which_only_the_head_fits_is_of_another_network(in_branches, tmp_path):
    state = {'decode_head.conv_seg.bias': torch.zeros(4), 'backbone.encoder.0.0.convs.0.conv.weight': torch.zeros(9)}
    if in_branches:
        state = {f'branches.{k}.{name}': value for k in range(3) for name, value in state.items()}
    torch.save(dict(state_dict=state), tmp_path / 'other.pth')
    with pytest.raises(UserError, match='has no weight of the backbone of a branch'):
        check_start(str(tmp_path / 'other.pth'), MODELS.build(tiny_model()))


def test_weights_of_branches_of_other_shapes_are_warned_of(tmp_path, said):
    other = MODELS.build(tiny_model(branch=tiny_branch(num_classes=3)))
    torch.save(dict(state_dict=other.state_dict()), tmp_path / 'other.pth')
    check_start(str(tmp_path / 'other.pth'), MODELS.build(tiny_model()))
    assert len(said) == 3
    assert '2 weights, such as decode_head.conv_seg.weight, do not' in said[0]
