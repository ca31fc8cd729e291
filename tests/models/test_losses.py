"""Independent slow versions, hand-worked cases, gradients, precision and errors of the losses."""

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from simeps_mmseg.engine.ramp import sigmoid_rampup
from simeps_mmseg.models.losses import (
    CrossPseudoLoss,
    SimilarityConsistencyLoss,
    SoftDiceLoss,
    cross_pseudo_loss,
    ensemble_pseudo_labels,
    similarity_consistency,
    similarity_map,
    soft_dice_loss,
)
from simeps_mmseg.models.losses.cross_pseudo import ce_dice_loss
from simeps_mmseg.models.losses.utils import one_hot
from tests.helpers import make_samples, tiny_model


def slow_similarity_map(features):
    rows = []
    for a in features:
        row = torch.tensor([float((a.double() * b.double()).sum()) for b in features])
        rows.append(row / row.norm())
    return torch.stack(rows)


def slow_dice(logits, target, ignore_index=255, class_weight=None):
    probabilities = logits.double().softmax(dim=1)
    num_classes = logits.shape[1]
    weights = class_weight or [1.0] * num_classes
    total = 0.0
    for c in range(num_classes):
        p, g = probabilities[:, c][target != ignore_index], (target[target != ignore_index] == c).double()
        total += weights[c] * 2 * (p * g).sum() / (p.sum() + g.sum() + 1e-7)
    return 1 - total / sum(weights)


class TestSimilarityMap:
    @pytest.mark.parametrize('shape', [(2, 3), (5, 4, 3, 2), (3, 7, 2)])
    def test_equals_the_slow_version(self, shape):
        features = torch.randn(shape)
        torch.testing.assert_close(similarity_map(features), slow_similarity_map(features))

    def test_rows_have_unit_norm(self):
        torch.testing.assert_close(similarity_map(torch.randn(4, 9)).norm(dim=1), torch.ones(4))

    def test_by_hand(self):
        # G = [[25, 3], [3, 1]]
        expected = torch.tensor([[25 / 634**0.5, 3 / 634**0.5], [3 / 10**0.5, 1 / 10**0.5]])
        torch.testing.assert_close(similarity_map(torch.tensor([[3.0, 4.0], [1.0, 0.0]])), expected)

    def test_the_row_of_an_image_without_features_has_no_gradient(self):
        """As of logits that are all zero: divided by 1e-12 they had a gradient of 1e12."""
        features = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
        features[1] = 0
        features.requires_grad_()
        found = similarity_map(features)
        assert found[1].tolist() == [0.0] * 3
        (found * torch.arange(9.0).view(3, 3)).sum().backward()
        assert 0 < features.grad.abs().max() < 100

    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
    def test_large_half_precision_maps_do_not_overflow(self, dtype):
        features = torch.full((2, 4, 256, 256), 20.0, dtype=dtype)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            result = similarity_map(features)
        assert result.dtype == torch.float32
        torch.testing.assert_close(result, torch.full((2, 2), 0.5**0.5))

    @pytest.mark.parametrize('shape', [(1, 8), (8,)])
    def test_refuses_a_single_image(self, shape):
        with pytest.raises(ValueError, match=r'needs at least 2 of them.*num_labeled and num_unlabeled'):
            similarity_map(torch.ones(shape))


class TestSimilarityConsistency:
    @pytest.mark.parametrize('branches', [2, 3, 4])
    def test_value_and_gradient_are_those_of_the_two_detached_halves(self, branches):
        features = [torch.randn(4, 5, requires_grad=True) for _ in range(branches)]
        maps = [similarity_map(f) for f in features]
        expected = sum(
            0.5 * F.mse_loss(a, b.detach()) + 0.5 * F.mse_loss(a.detach(), b) for a, b in combinations(maps, 2)
        )
        wanted = torch.autograd.grad(expected, features)
        actual = similarity_consistency(features)
        torch.testing.assert_close(actual, expected)
        for got, want in zip(torch.autograd.grad(actual, features), wanted):
            torch.testing.assert_close(got, want)

    def test_reductions(self):
        features = [torch.randn(3, 4) for _ in range(3)]
        pairs = similarity_consistency(features, 'none')
        assert pairs.shape == (3,)
        torch.testing.assert_close(similarity_consistency(features, 'sum'), pairs.sum())
        torch.testing.assert_close(similarity_consistency(features, 'mean'), pairs.mean())

    def test_branches_may_differ_in_everything_but_the_batch(self):
        assert similarity_consistency([torch.randn(3, 4, 2, 2), torch.randn(3, 7)]).ndim == 0

    @pytest.mark.parametrize(
        ('features', 'reduction', 'message'),
        [
            ([torch.ones(2, 2)], 'sum', 'needs at least 2, got 1'),
            ([torch.ones(2, 2), torch.ones(3, 2)], 'sum', r'batches of \[2, 3\]'),
            ([torch.ones(2, 2)] * 2, 'max', "must be one of .*, got 'max'"),
        ],
    )
    def test_errors(self, features, reduction, message):
        with pytest.raises(ValueError, match=message):
            similarity_consistency(features, reduction)

    def test_module_weights_each_stage(self):
        features = {name: [torch.randn(3, 4) for _ in range(3)] for name in ('encoder', 'decoder', 'logits')}
        loss = SimilarityConsistencyLoss(stages=dict(encoder=0.5, decoder=0, logits=2), loss_weight=10)
        values = loss(features)
        assert set(values) == {'encoder', 'logits'}
        torch.testing.assert_close(values['encoder'], 5 * similarity_consistency(features['encoder']))
        torch.testing.assert_close(values['logits'], 20 * similarity_consistency(features['logits']))

    def test_a_reference_batch_keeps_the_meaning_of_the_weight(self):
        generator = torch.Generator().manual_seed(0)
        common = torch.randn(1, 512, generator=generator)  # what all images share, as the logits of surfaces do
        images = common + 0.3 * torch.randn(128, 512, generator=generator)
        branches = [images + 0.3 * torch.randn(128, 512, generator=generator) for _ in range(3)]
        loss = SimilarityConsistencyLoss(loss_weight=1.0, reference_batch=16)
        released = SimilarityConsistencyLoss(loss_weight=1.0)

        def mean_value(of, batch):
            chunks = zip(*(branch.split(batch) for branch in branches))
            return torch.stack([of({'logits': chunk})['logits'] for chunk in chunks]).mean()

        expected = mean_value(released, 16)
        torch.testing.assert_close(mean_value(loss, 16), expected)
        for batch in (4, 8, 32, 64, 128):
            assert mean_value(loss, batch) == pytest.approx(expected.item(), rel=0.12), batch
        assert mean_value(released, 4) > 2.5 * expected
        assert mean_value(released, 128) < 0.2 * expected

    def test_a_reference_batch_scales_the_gradient_as_the_value(self):
        features = [torch.randn(4, 5, requires_grad=True) for _ in range(2)]
        values = [
            SimilarityConsistencyLoss(reference_batch=reference)({'logits': features})['logits']
            for reference in (16, None)
        ]
        torch.testing.assert_close(values[0], 0.3125 * values[1])
        gradients = [torch.autograd.grad(value, features)[0] for value in values]
        torch.testing.assert_close(gradients[0], 0.3125 * gradients[1])

    def test_module_refuses_a_reference_of_one_image(self):
        with pytest.raises(ValueError, match='reference_batch must be 2 or more, or None, got 1'):
            SimilarityConsistencyLoss(reference_batch=1)

    def test_module_refuses_unknown_stages(self):
        with pytest.raises(ValueError, match=r"unknown \['neck'\], known are"):
            SimilarityConsistencyLoss(stages=dict(neck=1.0))


class TestSoftDice:
    @pytest.mark.parametrize('classes', [2, 3, 6])
    @pytest.mark.parametrize('weighted', [False, True])
    def test_equals_the_slow_version(self, classes, weighted):
        logits = torch.randn(3, classes, 5, 4, requires_grad=True)
        target = torch.randint(0, classes, (3, 5, 4))
        target[0, :2] = 255
        weight = [float(c + 1) for c in range(classes)] if weighted else None
        actual, expected = soft_dice_loss(logits, target, class_weight=weight), slow_dice(logits, target, 255, weight)
        torch.testing.assert_close(actual.double(), expected, atol=1e-6, rtol=0)
        got, want = torch.autograd.grad(actual, logits)[0], torch.autograd.grad(expected, logits)[0]
        torch.testing.assert_close(got, want, atol=1e-6, rtol=0)

    def test_ignored_pixels_do_not_count(self):
        logits, target = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
        padded = F.pad(logits, (0, 3, 0, 2), value=5.0)
        padded_target = F.pad(target, (0, 3, 0, 2), value=7)
        torch.testing.assert_close(
            soft_dice_loss(padded, padded_target, ignore_index=7), soft_dice_loss(logits, target)
        )

    def test_pixel_weights_of_zero_ignore(self):
        logits, target = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
        weight = torch.ones(2, 1, 4, 4)
        weight[:, :, :2] = 0
        ignored = target.clone()
        ignored[:, :2] = 255
        loss = SoftDiceLoss(loss_weight=3.0)
        torch.testing.assert_close(loss(logits, target, weight=weight), 3 * soft_dice_loss(logits, ignored))

    def test_stays_in_float32_under_autocast(self):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            value = soft_dice_loss(torch.randn(1, 2, 4, 4).bfloat16(), torch.zeros(1, 4, 4, dtype=torch.long))
        assert value.dtype == torch.float32

    @pytest.mark.parametrize(
        ('logits', 'target', 'kwargs', 'message'),
        [
            ((1, 1, 2, 2), torch.zeros(1, 2, 2), {}, 'with C >= 2'),
            ((1, 3, 2, 2), torch.zeros(1, 2, 3), {}, r'expected a target of shape \(1, 2, 2\)'),
            ((1, 3, 2, 2), torch.full((1, 2, 2), 3), {}, r'the target holds \[3\], but the logits have 3 classes'),
            ((1, 3, 2, 2), torch.zeros(1, 2, 2), dict(class_weight=[1, 2]), 'give 3 numbers'),
        ],
    )
    def test_errors(self, logits, target, kwargs, message):
        with pytest.raises(ValueError, match=message):
            soft_dice_loss(torch.zeros(logits), target.long(), **kwargs)


class TestPseudoLabels:
    @pytest.mark.parametrize('branches', [3, 4])
    @pytest.mark.parametrize('ensemble', ['max', 'mean'])
    def test_equal_the_slow_version(self, branches, ensemble):
        logits = [torch.randn(2, 5, 3, 4) for _ in range(branches)]
        combine = (lambda x: x.amax(dim=0)) if ensemble == 'max' else (lambda x: x.mean(dim=0))
        for k, labels in enumerate(ensemble_pseudo_labels(logits, ensemble)):
            others = torch.stack([x.softmax(dim=1) for i, x in enumerate(logits) if i != k])
            assert torch.equal(labels, combine(others).argmax(dim=1))
            assert labels.dtype == torch.int64

    def test_two_branches_teach_each_other(self):
        a, b = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
        labels = ensemble_pseudo_labels([a, b])
        assert torch.equal(labels[0], b.argmax(dim=1))
        assert torch.equal(labels[1], a.argmax(dim=1))

    def test_carry_no_gradient(self):
        labels = ensemble_pseudo_labels([torch.randn(1, 2, 2, 2, requires_grad=True) for _ in range(3)])
        assert not any(x.requires_grad for x in labels)

    @pytest.mark.parametrize(
        ('logits', 'ensemble', 'message'),
        [
            ([torch.ones(1, 2, 2, 2)], 'max', 'two or more branches'),
            ([torch.ones(1, 2, 2, 2), torch.ones(1, 3, 2, 2)], 'max', 'logits of one shape'),
            ([torch.ones(1, 2, 2, 2)] * 2, 'vote', "got 'vote'"),
        ],
    )
    def test_errors(self, logits, ensemble, message):
        with pytest.raises(ValueError, match=message):
            ensemble_pseudo_labels(logits, ensemble)


class TestCrossPseudo:
    def test_equals_the_slow_version(self):
        logits = [torch.randn(3, 4, 5, 5, requires_grad=True) for _ in range(3)]
        labels = [torch.randint(0, 4, (3, 5, 5)) for _ in range(3)]
        labels[1][0] = 255
        expected = sum(
            0.5 * F.cross_entropy(x, y, ignore_index=255) + 0.5 * slow_dice(x, y) for x, y in zip(logits, labels)
        )
        actual = cross_pseudo_loss(logits, labels)
        torch.testing.assert_close(actual.double(), expected.double(), atol=1e-5, rtol=0)
        for got, want in zip(torch.autograd.grad(actual, logits), torch.autograd.grad(expected, logits)):
            torch.testing.assert_close(got, want, atol=1e-6, rtol=0)

    def test_all_ignored_is_finite(self):
        logits = torch.randn(1, 3, 2, 2, requires_grad=True)
        value = cross_pseudo_loss([logits], [torch.full((1, 2, 2), 255)])
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(logits.grad).all()

    def test_needs_a_map_per_branch(self):
        with pytest.raises(ValueError, match='got 1 for 2 branches'):
            cross_pseudo_loss([torch.zeros(1, 2, 2, 2)] * 2, [torch.zeros(1, 2, 2).long()])

    def test_module_refuses_unknown_ensembles(self):
        with pytest.raises(ValueError, match=r"CrossPseudoLoss.ensemble must be one of .*, got 'sum'"):
            CrossPseudoLoss(ensemble='sum')


class TestKnownToBeComplete:
    """Labels of which it is known that every pixel counts are not looked at; nothing else changes."""

    def test_values_and_gradients_are_the_same_to_the_bit(self):
        logits, labels = torch.randn(2, 4, 8, 8), torch.randint(0, 4, (2, 8, 8))
        found = []
        for ignore_index in (255, None):
            own = logits.clone().requires_grad_()
            loss = ce_dice_loss(own, labels, ignore_index)
            loss.backward()
            found.append((loss.detach(), own.grad))
        torch.testing.assert_close(found[0], found[1], atol=0, rtol=0)

    def test_padding_and_transforms_that_uncover_end_it(self):
        model = MODELS.build(tiny_model())
        target = model.cross_pseudo.pseudo_labels([torch.randn(2, 4, 8, 8)] * 3)[0]
        samples = make_samples(2, False, (8, 8))
        assert model.of_images(target, samples).ignored(255) is None
        samples[1].set_metainfo(dict(padding_size=(0, 3, 0, 0)))
        padded = model.of_images(target, samples)
        assert padded.ignored(255) == 255
        assert (padded.labels[1, :, 5:] == 255).all()
        for transform, ignored in ((dict(type='GreyNoise'), None), (dict(type='RandomRotation', degrees=90), 255)):
            view = dict(type='RandomView', transforms=[transform])
            views = MODELS.build(tiny_model(view=view)).views
            assert views.of_labeled(torch.rand(2, 3, 8, 8), target)[1].ignored(255) == ignored

    def test_an_ignored_class_is_in_no_indicator(self):
        found = one_hot(torch.tensor([[[0, 1, 2, 255]]]), 3, ignore_index=1)
        assert found[0, :, 0].T.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]]


class TestRampup:
    def test_ends_at_one_and_grows(self):
        values = [sigmoid_rampup(step, 10) for step in range(13)]
        assert values == sorted(values)
        assert values[10:] == [1.0, 1.0, 1.0]
        assert 0 < values[0] < 0.01

    def test_no_length_is_no_ramp(self):
        assert sigmoid_rampup(0, 0) == 1.0

    @pytest.mark.parametrize(('step', 'length'), [(-1, 5), (1, -5)])
    def test_errors(self, step, length):
        with pytest.raises(ValueError, match='must not be negative'):
            sigmoid_rampup(step, length)
