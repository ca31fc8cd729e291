"""Each method against its paper's formulas, written out slowly."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS

from simeps_mmseg.models.losses import CrossPseudoLoss, UncertaintyMixedLoss
from simeps_mmseg.models.losses.cross_pseudo import ce_dice_loss
from simeps_mmseg.models.utils import perturbed_features
from simeps_mmseg.models.utils.batch_norm import batch_norms
from simeps_mmseg.models.utils.batch_renorm import is_renormalising
from tests.conftest import ROOT
from tests.helpers import NUM_CLASSES, make_samples, tiny_branch

SIZE = (16, 16)


def u_net_branch(kind):
    """A shipped U-Net branch."""
    return Config.fromfile(ROOT / f'configs/_base_/models/{kind}.py').model


METAS = [dict(img_shape=SIZE)] * 3
VIEW = dict(type='RandomView', transforms=[dict(type='ColorJitter', brightness=0.2)])
EMA = dict(type='ExponentialMovingAverage', momentum=0.25)
FIXMATCH = dict(type='FixMatchSegmentor', pseudo=dict(type='ConfidentPseudoLoss', threshold=0.251), view=VIEW)
UNIMATCH = {**FIXMATCH, 'type': 'UniMatchSegmentor'}
MEAN_TEACHER = dict(type='MeanTeacherSegmentor', consistency=dict(type='SoftmaxMSELoss'), teacher=EMA, view=VIEW)
MULTI = dict(type='MultiBranchSemiSegmentor', num_branches=3, cross_pseudo=dict(type='CrossPseudoLoss'))
METHODS = {
    'fixmatch': FIXMATCH,
    'unimatch': UNIMATCH,
    'mean_teacher': MEAN_TEACHER,
    'cps': {**MULTI, 'num_branches': 2},
    'uaps': {**MULTI, 'cross_pseudo': dict(type='UncertaintyMixedLoss'), 'consistency_on_labeled': False},
    'views': {**MULTI, 'view': VIEW, 'cut_mix': dict(type='CutMix'), 'teacher': EMA},
    'similarity': {**MULTI, 'view': VIEW, 'similarity': dict(type='SimilarityConsistencyLoss')},
}


def build(config, **changes):
    model = MODELS.build({**config, 'branch': tiny_branch(), **changes})
    model.init_weights()
    return model.train()


def frozen(model):
    """Batch norm and dropout fixed, so that a second forward gives the same; the model still believes that it trains."""
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Dropout2d)):
            module.eval()
    return model


def batch(labeled=2, unlabeled=3):
    samples = make_samples(labeled, True, SIZE) + make_samples(unlabeled, False, SIZE)
    return 2 * torch.rand(labeled + unlabeled, 3, *SIZE) - 1, samples  # within what an image can be


def still_view(model):
    """Views that change nothing."""
    model.views.view.transforms = []
    model.views.view._built.clear()


def slow_cross_entropy(logits, labels, weight):
    """Mean over all pixels of weight times -log p(label), pixel by pixel."""
    probabilities = logits.softmax(dim=1)
    total = 0.0
    for b in range(len(labels)):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                total = total - weight[b, y, x] * probabilities[b, labels[b, y, x], y, x].log()
    return total / labels.numel()


@pytest.mark.parametrize('name', METHODS)
def test_every_parameter_learns_and_no_teacher_does(name):
    model = build(METHODS[name])
    losses = model.loss(*batch())
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert all(p.grad is not None for p in model.branches.parameters())
    assert all(p.grad is None for p in (model.teachers or torch.nn.Module()).parameters())
    assert all(module.training for module in model.branches.modules())
    assert any(key.startswith('unlabeled.') for key in losses)
    assert [m.shape for m in model.last_step.pseudo_labels] == [(3, *SIZE)] * len(model.branches)


@pytest.mark.parametrize('name', METHODS)
def test_bfloat16_autocast_leaves_no_parameter_without_gradient(name):
    """The pass without gradient must not leave its cast weights to the pass with gradient."""
    model = build(METHODS[name])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(*batch(0, 3))
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is not None for p in model.branches.parameters())
    assert any(p.grad.abs().sum() > 0 for p in model.branches[0].backbone.parameters())


@pytest.mark.parametrize('name', METHODS)
def test_one_part_alone_is_a_legal_batch(name):
    model = build(METHODS[name])
    assert not any(key.startswith('unlabeled') for key in model.loss(*batch(2, 0)))
    assert not any(key.startswith('branch_') for key in model.loss(*batch(0, 3)))


@pytest.mark.parametrize('name', METHODS)
def test_padding_teaches_nothing(name):
    """What is outside of the image has no part in any label."""
    model = build(METHODS[name])
    inputs, samples = batch(0, 3)
    for sample in samples:
        sample.set_metainfo(dict(padding_size=(0, 4, 0, 0)))
    model.loss(inputs, samples)
    if name != 'views':  # there CutMix may bring a box from further left
        for labels in model.last_step.pseudo_labels:
            assert (labels[:, :, -4:] == 255).all()
            assert (labels[:, :, :-4] != 255).any()


class TestFixMatch:
    def test_loss_is_that_of_the_confident_pixels_over_all(self):
        model = frozen(build(FIXMATCH, pseudo=dict(type='ConfidentPseudoLoss', threshold=0.255, loss_weight=2.0)))
        still_view(model)
        inputs, samples = batch(0, 3)
        logits = model.branches[0].encode_decode(inputs, METAS)
        confidence, labels = logits.softmax(dim=1).max(dim=1)
        weight = (confidence >= 0.255).float()
        assert 0 < weight.mean() < 1
        loss = model.loss(inputs, samples)['unlabeled.loss_view_0']
        torch.testing.assert_close(loss, 2 * slow_cross_entropy(logits, labels, weight), atol=1e-5, rtol=1e-4)

    def test_nothing_confident_is_nothing_learnt(self):
        model = build(FIXMATCH, pseudo=dict(type='ConfidentPseudoLoss', threshold=1.0))
        assert model.loss(*batch(0, 3))['unlabeled.loss_view_0'] == 0
        assert (model.last_step.pseudo_labels[0] == 255).all()

    def test_the_strong_view_is_learnt_and_the_weak_one_teaches(self):
        model = build(FIXMATCH)
        seen = []
        model.branches[0].backbone.register_forward_pre_hook(
            lambda module, args: seen.append((args[0], torch.is_grad_enabled(), module.training))
        )
        inputs, samples = batch(0, 3)
        model.loss(inputs, samples)
        (weak, weak_grad, weak_mode), (strong, strong_grad, _) = seen
        assert torch.equal(weak, inputs)
        assert not torch.equal(strong, inputs)
        assert (weak_grad, strong_grad, weak_mode) == (False, True, False)

    def test_needs_a_strong_view(self):
        with pytest.raises(ValueError, match='FixMatchSegmentor needs a strong view'):
            build(FIXMATCH, view=None)

    def test_threshold_is_a_probability(self):
        with pytest.raises(ValueError, match='threshold is a probability'):
            build(FIXMATCH, pseudo=dict(type='ConfidentPseudoLoss', threshold=95))


class TestUniMatch:
    def test_weights_of_the_streams(self):
        """Eq. 7 with lambda = mu = 0.5: 1/4 and 1/4 for the views, 1/2 for the features."""
        model = frozen(build(UNIMATCH, feature_dropout=0.0))
        still_view(model)
        inputs, samples = batch(0, 3)
        logits = model.branches[0].encode_decode(inputs, METAS)
        confidence, labels = logits.softmax(dim=1).max(dim=1)
        full = slow_cross_entropy(logits, labels, (confidence >= 0.251).float())
        losses = model.loss(inputs, samples)
        shares = dict(loss_view_0=0.25, loss_view_1=0.25, loss_features=0.5)
        for key, share in shares.items():
            torch.testing.assert_close(losses[f'unlabeled.{key}'], share * full, atol=1e-5, rtol=1e-4)

    def test_features_lose_whole_channels_in_their_stream_alone(self):
        model = build(UNIMATCH, feature_dropout=1.0)
        seen = []
        deepest = (
            model.branches[0].backbone.decoder[-1].conv_block
        )  # reads the upsampled map beside the skip connection
        deepest.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
        model.loss(*batch(0, 3))
        dropped = [int((maps.abs().sum(dim=(2, 3)) == 0).sum()) for maps in seen]
        assert len(dropped) == 4  # labels, two views, features
        skipped = 3 * 4  # images and channels of the skip connection; activations may be silent of themselves
        assert all(count < skipped for count in dropped[:3])
        assert dropped[3] >= skipped

    def test_of_other_networks_all_that_the_head_reads_is_perturbed(self):
        branch = MODELS.build(Config.fromfile(ROOT / 'configs/_base_/models/deeplabv3plus_r18.py').model)
        image = torch.randn(1, 3, 32, 32)
        with torch.no_grad(), perturbed_features(branch.eval(), torch.nn.Dropout2d(1.0)):
            levels = branch.extract_feat(image)
        assert len(levels) == 4
        assert not any(maps.any() for maps in levels)
        assert all(maps.any() for maps in branch.extract_feat(image))

    @pytest.mark.parametrize('kind', ['dropout_unet', 'unet'])
    def test_of_a_u_net_the_skip_connections_are_perturbed_not_what_the_classifier_reads(self, kind):
        branch = u_net_branch(kind)
        model = build(UNIMATCH, branch=branch)
        backbone = model.branches[0].backbone
        own, entered = [], []  # what blocks made, and what came to them from elsewhere

        def before(module, args):
            entered.extend(arg for arg in args if not any(arg is made for made in own))

        with perturbed_features(model.branches[0], torch.nn.Dropout2d(0.5)):
            for block in backbone.decoder:
                block.register_forward_pre_hook(before)
                block.register_forward_hook(lambda module, args, output: own.append(output))
            last = backbone(torch.randn(2, 3, 32, 32))[-1]
        levels = len(backbone.decoder) + 1
        assert len(entered) == levels
        assert len({maps.shape for maps in entered}) == levels
        dropped = [(maps.abs().sum(dim=(2, 3)) == 0).float().mean() for maps in entered]
        assert all(0.1 < share < 0.9 for share in dropped)
        assert (last.abs().sum(dim=(2, 3)) > 0).all()
        assert not any(block._forward_pre_hooks for block in model.branches[0].decode_head.children())

    def test_the_two_views_differ(self):
        model = build(UNIMATCH)
        seen = []
        model.branches[0].backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        model.loss(*batch(0, 3))
        assert not torch.equal(seen[1], seen[2])


class TestMeanTeacher:
    def test_teacher_is_the_moving_average(self):
        model = build(MEAN_TEACHER)
        name = 'decode_head.conv_seg.weight'
        student = dict(model.branches[0].named_parameters())[name]
        teacher = dict(model.teachers[0].module.named_parameters())[name]
        model.loss(*batch())
        torch.testing.assert_close(teacher, student.detach())
        expected = student.detach().clone()
        for _ in range(2):
            student.data += 1.0
            expected = 0.75 * expected + 0.25 * student.detach()
            model.loss(*batch())
            torch.testing.assert_close(teacher, expected)

    def test_consistency_is_the_squared_difference_of_the_softmax_maps(self):
        model = frozen(build(MEAN_TEACHER))
        still_view(model)
        model.loss(*batch())
        with torch.no_grad():
            for p in model.branches[0].parameters():
                p.add_(0.1 * torch.randn_like(p))
        inputs, samples = batch(0, 3)
        student = copy.deepcopy(model.branches[0]).eval()
        teacher = copy.deepcopy(model.teachers[0].module).eval()
        before = [p.clone() for p in teacher.parameters()]
        for t, b, s in zip(teacher.parameters(), before, student.parameters()):
            t.data = 0.75 * b + 0.25 * s.detach()
        for t, s in zip(teacher.buffers(), student.buffers()):
            t.copy_(s)
        difference = student.encode_decode(inputs, METAS).softmax(dim=1) - teacher.encode_decode(inputs, METAS).softmax(
            dim=1
        )
        expected = (difference**2).sum() / difference.numel()
        assert expected > 1e-6
        torch.testing.assert_close(model.loss(inputs, samples)['unlabeled.loss_consistency'], expected)

    def test_on_labels_alone_nobody_is_asked(self):
        model = build(MEAN_TEACHER)
        model.set_rampup(0.0)
        model.teaching_logits = None
        assert all(key.startswith('branch_0.') for key in model.loss(*batch(2, 0)))

    def test_predicts_with_the_teacher_unless_told(self):
        model = build(MEAN_TEACHER)
        model.loss(*batch())
        with torch.no_grad():
            model.branches[0].decode_head.conv_seg.bias.add_(torch.arange(NUM_CLASSES) * 5.0)
        model.eval()
        inputs = torch.randn(2, 3, *SIZE)
        taught = model.teachers[0].module.encode_decode(inputs, METAS[:2])
        torch.testing.assert_close(model(inputs), taught)
        model.test_cfg['predict_with'] = 'student'
        torch.testing.assert_close(model(inputs), model.branches[0].encode_decode(inputs, METAS[:2]))

    def test_teacher_evaluates_always_and_moves_in_training_alone(self):
        model = build(MEAN_TEACHER)
        assert not any(module.training for module in model.teachers.modules())
        model.eval()
        model.update_teachers()
        assert model.teachers[0].steps == 0

    def test_teacher_is_in_the_checkpoint(self):
        state = build(MEAN_TEACHER).state_dict()
        assert 'teachers.0.module.decode_head.conv_seg.weight' in state
        assert 'teachers.0.steps' in state

    @pytest.mark.parametrize(
        ('test_cfg', 'message'),
        [
            (dict(predict_with='teacher'), 'keeps no teachers: set model.teacher'),
            (dict(predict_with='best'), "must be 'student' or 'teacher', got 'best'"),
            (dict(predict_onn=0), 'test_cfg.predict_onn is not known; predict_on is'),
        ],
    )
    def test_errors(self, test_cfg, message):
        with pytest.raises(ValueError, match=message):
            build(FIXMATCH, test_cfg=test_cfg)


class TestCPS:
    def test_each_learns_the_hard_labels_of_the_other(self):
        """L_cps of Chen et al. 2021, Eqs. 2 and 3: cross entropy against the other's one-hot labels."""
        a, b = (torch.randn(2, NUM_CLASSES, 5, 6) for _ in range(2))
        loss = CrossPseudoLoss(dice_share=0.0, loss_weight=1.5, ramp=False)
        values = loss([a, b], loss.pseudo_labels([a, b]))
        one = torch.ones(2, 5, 6)
        torch.testing.assert_close(values[0], 1.5 * slow_cross_entropy(a, b.argmax(dim=1), one))
        torch.testing.assert_close(values[1], 1.5 * slow_cross_entropy(b, a.argmax(dim=1), one))


class TestUAPS:
    def logits(self, branches=3):
        return [torch.randn(2, NUM_CLASSES, 5, 6, requires_grad=True) for _ in range(branches)]

    def test_labels_are_those_of_a_random_mixture(self):
        logits = self.logits()
        loss = UncertaintyMixedLoss()
        torch.manual_seed(5)
        labels = loss.pseudo_labels(logits)
        torch.manual_seed(5)
        weights = torch.distributions.Dirichlet(torch.ones(3)).sample()
        assert weights.sum().item() == pytest.approx(1)
        mixture = sum(w * branch.softmax(dim=1) for w, branch in zip(weights, logits))
        assert all(torch.equal(label.labels, mixture.argmax(dim=1)) for label in labels)
        other = [loss.pseudo_labels(logits)[0].labels for _ in range(10)]
        assert any(not torch.equal(o, labels[0].labels) for o in other)

    def test_pixels_count_as_far_as_a_branch_agrees_with_the_mean(self):
        logits = self.logits()
        loss = UncertaintyMixedLoss(loss_weight=0.5, uncertainty_weight=2.0)
        targets = loss.pseudo_labels(logits)
        values = loss(logits, targets)
        mean = sum(branch.softmax(dim=1) for branch in logits) / 3
        for value, branch, target in zip(values, logits, targets):
            p = branch.softmax(dim=1)
            divergence = (mean * (mean / p).log()).sum(dim=1)
            weight = (-divergence).exp()
            truth = F.one_hot(target.labels, NUM_CLASSES).permute(0, 3, 1, 2)
            overlap = (p * truth * weight[:, None]).sum(dim=(0, 2, 3))
            areas = ((p + truth) * weight[:, None]).sum(dim=(0, 2, 3))
            dice = 1 - (2 * overlap / (areas + 1e-7)).mean()
            rectified = 0.5 * slow_cross_entropy(branch, target.labels, weight) + 0.5 * dice
            torch.testing.assert_close(value, 0.5 * (rectified + 2.0 * divergence.mean()), atol=1e-5, rtol=1e-4)

    def test_released_weighting_multiplies_the_mean_loss_by_the_mean_weight(self):
        logits = self.logits()
        loss = UncertaintyMixedLoss(loss_weight=0.5, pixelwise=False)
        targets = loss.pseudo_labels(logits)
        mean = sum(branch.softmax(dim=1) for branch in logits) / 3
        for value, branch, target in zip(loss(logits, targets), logits, targets):
            divergence = (mean * (mean / branch.softmax(dim=1)).log()).sum(dim=1)
            plain = ce_dice_loss(branch, target.labels, 255)
            expected = 0.5 * (plain * (-divergence).exp().mean() + divergence.mean())
            torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)

    def test_a_class_that_all_branches_deny_has_a_gradient(self):
        """0 log 0 is 0; its gradient is not."""
        logits = [torch.tensor([110.0, 0.0]).view(1, 2, 1, 1).requires_grad_() for _ in range(3)]
        loss = UncertaintyMixedLoss()
        sum(loss(logits, loss.pseudo_labels(logits))).backward()
        assert all(torch.isfinite(branch.grad).all() for branch in logits)

    def test_disagreement_about_padding_is_none(self):
        logits = self.logits()
        loss = UncertaintyMixedLoss()
        targets = loss.pseudo_labels(logits)
        for target in targets:
            target.labels[..., 4:] = 255
        sum(loss(logits, targets)).backward()
        assert all((branch.grad[..., 4:] == 0).all() and branch.grad[..., :4].any() for branch in logits)

    def test_learns_from_the_unlabelled_images_alone(self):
        losses = build(METHODS['uaps']).loss(*batch())
        assert not any(key.startswith('labeled.') for key in losses)


class TestViewsOfBranches:
    def test_each_branch_sees_a_view_of_its_own_and_the_teachers_the_image(self):
        model = build(METHODS['similarity'])
        seen = []
        for branch in model.branches:
            branch.backbone.register_forward_pre_hook(lambda m, args: seen.append((args[0], torch.is_grad_enabled())))
        inputs, samples = batch(0, 3)
        model.loss(inputs, samples)
        assert [grad for _, grad in seen] == [False] * 3 + [True] * 3
        assert all(torch.equal(image, inputs) for image, _ in seen[:3])
        views = [image for image, _ in seen[3:]]
        assert not torch.equal(views[0], views[1])
        assert not torch.equal(views[1], views[2])

    def test_the_mix_is_one_for_all_branches_and_their_labels(self):
        model = build({**MULTI, 'cut_mix': dict(type='CutMix', prob=1.0)})
        seen = []
        for branch in model.branches:
            branch.backbone.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
        inputs, samples = batch(0, 3)
        model.loss(inputs, samples)
        assert not torch.equal(seen[3], inputs)
        assert torch.equal(seen[3], seen[4])
        assert torch.equal(seen[3], seen[5])

    def test_pseudo_labels_are_the_teachers(self):
        model = build({**MULTI, 'teacher': EMA})
        inputs, samples = batch(0, 3)
        model.loss(inputs, samples)
        with torch.no_grad():
            for branch in model.branches:
                branch.decode_head.conv_seg.bias.add_(torch.tensor([50.0, 0, 0, 0]))
        model.branches.eval()
        model.teachers.requires_grad_(False)
        model.training = False  # teachers stay where they are
        model.loss(inputs, samples)
        assert all((prediction == 0).all() for prediction in model.last_step.predictions)
        assert any((labels != 0).any() for labels in model.last_step.pseudo_labels)


def running_statistics(network):
    return torch.cat([buffer.flatten() for name, buffer in network.named_buffers() if 'running' in name])


class TestRunningStatistics:
    """What predicts goes by batch-norm statistics of labelled images, and teachers average them like weights."""

    @pytest.mark.parametrize('renorm', [False, True])
    @pytest.mark.parametrize('options', [dict(teacher=EMA), dict(view=VIEW), dict(teacher=EMA, view=VIEW)])
    def test_views_and_taught_images_do_not_move_them(self, options, renorm):
        more = dict(consistency_on_labeled=False, batch_renorm=renorm)
        models = [build({**MULTI, **options, **more}) for _ in range(2)]
        models[1].load_state_dict(models[0].state_dict())
        inputs, samples = batch(2, 3)
        models[0].loss(inputs, samples)
        models[1].loss(inputs[:2], samples[:2])
        start = running_statistics(build({**MULTI, **options}).branches)
        assert not torch.equal(running_statistics(models[0].branches), start)
        for both in zip(models[0].branches, models[1].branches):
            torch.testing.assert_close(*map(running_statistics, both), rtol=0, atol=0)

    @pytest.mark.parametrize('name', METHODS)
    def test_no_unlabelled_image_moves_them_where_a_method_renormalises(self, name):
        options = {**METHODS[name], 'batch_renorm': True}
        if 'Multi' in options['type']:
            options['consistency_on_labeled'] = False
        models = [build(options) for _ in range(2)]
        models[1].load_state_dict(models[0].state_dict())
        inputs, samples = batch(2, 3)
        models[0].loss(inputs, samples)
        models[1].loss(inputs[:2], samples[:2])
        for both in zip(*(batch_norms(model.branches) for model in models)):
            torch.testing.assert_close(*(dict(norm.named_buffers()) for norm in both), rtol=0, atol=0)

    @pytest.mark.parametrize('renorm', [False, True])
    @pytest.mark.parametrize('name', METHODS)
    def test_unlabelled_images_are_learnt_with_batch_renormalization_where_a_method_is_told_so(self, name, renorm):
        model = build({**METHODS[name], 'batch_renorm': renorm})
        norms, seen = batch_norms(model.branches), []
        for branch in model.branches:
            branch.backbone.register_forward_pre_hook(
                lambda *_: seen.append({is_renormalising(norm) for norm in norms})
            )
        model.loss(*batch(0, 3))
        assert seen[-1] == {renorm}

    @pytest.mark.parametrize('renorm', [False, True])
    def test_an_unlabelled_image_is_seen_as_at_inference_whatever_is_beside_it(self, renorm):
        """Normalised by its own batch, an image of another kind would look like the others."""
        models = [build({**MULTI, 'teacher': EMA, 'batch_renorm': renorm}) for _ in range(2)]
        models[1].load_state_dict(models[0].state_dict())
        inputs, samples = batch(2, 3)
        beside = inputs.clone()
        beside[3:] += 5.0
        for model, images in zip(models, (inputs, beside)):
            for module in model.modules():
                if isinstance(module, torch.nn.Dropout2d):
                    module.eval()
            model.loss(images, samples)
        for one, other in zip(models[0].last_step.outputs, models[1].last_step.outputs):
            torch.testing.assert_close(one[0], other[0])
            assert not torch.allclose(one[1], other[1])
        assert all(norm.training for norm in batch_norms(models[0].branches))

    def test_without_teachers_and_views_all_images_move_them(self):
        model = build(MULTI)
        before = running_statistics(model.branches)
        model.loss(*batch(0, 3))
        assert not torch.equal(running_statistics(model.branches), before)

    def test_teachers_average_them(self):
        model = build({**MULTI, 'teacher': {**EMA, 'update_buffers': True}})
        model.update_teachers()
        teacher, branch = model.teachers.networks[0], model.branches[0]
        start = running_statistics(teacher)
        assert torch.equal(start, running_statistics(branch))  # the first time it is a copy
        for norm in batch_norms(branch):
            norm.running_mean.add_(1.0)
            norm.running_var.mul_(3.0)
        model.update_teachers()
        expected = torch.lerp(start, running_statistics(branch), EMA['momentum'])
        torch.testing.assert_close(running_statistics(teacher), expected)

    def test_a_mean_over_all_batches_counts_labelled_ones_alone(self):
        model = build({**MULTI, 'view': VIEW})
        norms = batch_norms(model.branches)
        for norm in norms:
            norm.momentum = None
        model.loss(*batch(2, 3))
        assert {(norm.momentum, int(norm.num_batches_tracked)) for norm in norms} == {(None, 1)}


def test_an_ensemble_that_is_not_there():
    with pytest.raises(ValueError, match="got 'vote'"):
        CrossPseudoLoss(ensemble='vote')
