import copy

import pytest
import torch
from mmseg.models import SegDataPreProcessor
from mmseg.registry import MODELS

from simeps_mmseg.models.views import CutMix, Mix, RandomView, build_views
from simeps_mmseg.models.views.cut_mix import random_box

PHOTOMETRIC = [
    dict(type='ColorJitter', brightness=0.3, contrast=0.3),
    dict(type='GaussianBlur', kernel_size=3),
    dict(type='GreyNoise', sigma=(0.02, 0.02)),
]


def batch(count=4, size=16):
    grey = torch.rand(count, 1, size, size).expand(-1, 3, -1, -1).clone()
    return grey, torch.randint(0, 4, (count, size, size)), torch.rand(count, size, size)


class TestRandomView:
    def test_photometric_views_keep_labels_and_grey(self):
        images, labels, weights = batch()
        viewed, (same_labels, same_weights) = RandomView(PHOTOMETRIC)(images, [labels, weights], 255)
        assert torch.equal(same_labels, labels)
        assert torch.equal(same_weights, weights)
        assert torch.equal(viewed[:, 0], viewed[:, 1])
        assert torch.equal(viewed[:, 0], viewed[:, 2])
        assert viewed.min() >= 0
        assert viewed.max() <= 1
        assert not torch.allclose(viewed, images, atol=0.01)

    @pytest.mark.parametrize(
        'transform',
        [
            dict(type='RandomHorizontalFlip', p=1.0),
            dict(type='RandomVerticalFlip', p=1.0),
            dict(type='RandomAffine', degrees=0, translate=(0.3, 0.3)),
        ],
    )
    def test_geometric_views_move_labels_logits_and_weights_alike(self, transform):
        labels = torch.randint(0, 4, (3, 16, 16))
        images = labels.unsqueeze(1).expand(-1, 3, -1, -1) / 4.0
        logits = torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2).float()
        weights = labels / 4.0
        viewed, (moved, moved_logits, moved_weights) = RandomView([transform])(images, [labels, logits, weights], 255)
        counted = moved != 255
        assert counted.float().mean() > 0.3
        assert not torch.equal(moved, labels)
        torch.testing.assert_close(viewed[:, 0][counted], moved[counted] / 4.0)
        torch.testing.assert_close(moved_weights[counted], moved[counted] / 4.0)
        assert torch.equal(moved_logits.argmax(dim=1)[counted], moved[counted])

    def test_uncovered_pixels_are_ignored(self):
        view = RandomView([dict(type='RandomAffine', degrees=(45, 45))])
        _, (labels,) = view(torch.rand(1, 3, 16, 16), [torch.zeros(1, 16, 16, dtype=torch.long)], 99)
        assert labels[0, 0, 0] == 99
        assert labels[0, 8, 8] == 0

    def test_each_image_is_drawn_on_its_own(self):
        images = torch.full((8, 3, 8, 8), 0.5)
        viewed, _ = RandomView([dict(type='ColorJitter', brightness=0.3)])(images, [], 255)
        assert len(viewed.mean(dim=(1, 2, 3)).unique()) == 8

    def test_seed_decides(self):
        images, labels, _ = batch()
        view = RandomView([*PHOTOMETRIC, dict(type='RandomHorizontalFlip')])
        torch.manual_seed(3)
        first = view(images, [labels], 255)
        torch.manual_seed(3)
        again = view(images, [labels], 255)
        other = view(images, [labels], 255)
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1][0], again[1][0])
        assert not torch.equal(first[0], other[0])

    def test_probability(self):
        images = torch.full((40, 3, 4, 4), 0.5)
        viewed, _ = RandomView([dict(type='GreyNoise', sigma=(0.1, 0.1), p=0.5)])(images, [], 255)
        changed = (viewed != 0.5).flatten(1).any(dim=1).float().mean()
        assert 0.2 < changed < 0.8

    @pytest.mark.parametrize(
        ('transform', 'message'),
        [
            (dict(type='Blur'), "no transform 'Blur'"),
            (dict(type='GaussianBlur', sigma=2), 'GaussianBlur: '),
            (dict(type='ColorJitter', hue=0.1), 'ColorJitter with hue would colour a grey image'),
            (dict(type='GaussianNoise'), 'GreyNoise adds the same noise'),
        ],
    )
    def test_errors(self, transform, message):
        with pytest.raises(ValueError, match=message):
            RandomView([transform])

    def test_colour_is_allowed_on_request(self):
        images = torch.tensor([0.8, 0.4, 0.2]).view(1, 3, 1, 1).expand(2, -1, 8, 8)
        viewed, _ = RandomView([dict(type='ColorJitter', saturation=(3.0, 3.0))], grey=False)(images, [], 255)
        assert not torch.allclose(viewed, images, atol=0.05)


class TestCutMix:
    def test_images_and_maps_are_mixed_alike(self):
        labels = torch.arange(4).view(4, 1, 1).expand(-1, 12, 12).clone()
        images = labels.unsqueeze(1).expand(-1, 3, -1, -1).float()
        mix = CutMix(prob=1.0)(images)
        mixed, moved = mix(images), mix(labels)
        assert torch.equal(mixed[:, 0].long(), moved)
        for k in range(4):
            assert set(moved[k].unique().tolist()) == {k, int(mix.partner[k])}
            assert mix.partner[k] != k
            rows, columns = torch.where(moved[k] != k)
            assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)

    def test_boxes_stay_inside_and_have_the_asked_area(self):
        for _ in range(200):
            top, left, bottom, right = random_box(40, 60, area=(0.1, 0.3), ratio=(0.5, 2.0))
            assert 0 <= top < bottom <= 40
            assert 0 <= left < right <= 60
            assert 0.08 < (bottom - top) * (right - left) / 2400 < 0.33

    def test_without_probability_nothing_changes(self):
        images = torch.rand(3, 3, 8, 8)
        assert torch.equal(CutMix(prob=0.0)(images)(images), images)

    def test_one_image_is_its_own_partner(self):
        images = torch.rand(1, 3, 8, 8)
        assert torch.equal(CutMix(prob=1.0)(images)(images), images)

    @pytest.mark.parametrize(
        'changes', [dict(prob=1.5), dict(area=(0.0, 0.5)), dict(area=(0.5, 0.4)), dict(ratio=(0, 1))]
    )
    def test_errors(self, changes):
        with pytest.raises(ValueError, match='CutMix'):
            CutMix(**changes)


class TestViews:
    preprocessor = SegDataPreProcessor(mean=[100.0, 120.0, 140.0], std=[50.0, 60.0, 70.0])

    def views(self, view=None, cut_mix=None):
        return build_views(view, cut_mix, self.preprocessor, 255)

    def test_transforms_see_the_image_as_it_was_loaded(self):
        seen = []
        views = self.views(dict(type='RandomView', transforms=[]))
        views.view.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        loaded = torch.randint(0, 256, (2, 3, 8, 8)).float()
        normalised = (loaded - self.preprocessor.mean) / self.preprocessor.std
        back, _ = views(normalised)
        torch.testing.assert_close(seen[0] * 255, loaded, atol=1e-3, rtol=0)
        torch.testing.assert_close(back, normalised, atol=1e-5, rtol=0)

    def test_grey_images_stay_grey_through_the_normalisation(self):
        loaded = torch.randint(0, 256, (2, 1, 8, 8)).float().expand(-1, 3, -1, -1)
        views = self.views(dict(type='RandomView', transforms=PHOTOMETRIC))
        back, _ = views((loaded - self.preprocessor.mean) / self.preprocessor.std)
        again = back * self.preprocessor.std + self.preprocessor.mean
        torch.testing.assert_close(again[:, 0], again[:, 1], atol=1e-3, rtol=0)

    def test_mix_comes_after_the_view(self):
        views = self.views(dict(type='RandomView', transforms=[dict(type='RandomHorizontalFlip', p=1.0)]))
        inputs = torch.rand(2, 3, 4, 4)
        inside = torch.zeros(2, 4, 4, dtype=torch.bool)
        inside[0, :, 0] = True
        mixed, (labels,) = views(inputs, [torch.arange(32).view(2, 4, 4)], Mix(torch.tensor([1, 0]), inside))
        torch.testing.assert_close(mixed[0, :, :, 0], inputs[1, :, :, 3], atol=1e-5, rtol=0)
        assert labels[0, :, 0].tolist() == [19, 23, 27, 31]

    def test_nothing_asked_is_nothing_built(self):
        assert build_views(None, None, self.preprocessor, 255) is None

    def test_is_no_owner_of_the_preprocessor(self):
        views = self.views(cut_mix=dict(type='CutMix'))
        assert not list(views.buffers())
        assert copy.deepcopy(views).draw_mix(torch.rand(2, 3, 8, 8)).inside.shape == (2, 8, 8)

    def test_both_are_registered(self):
        assert isinstance(MODELS.build(dict(type='CutMix')), CutMix)
        assert isinstance(MODELS.build(dict(type='RandomView', transforms=[])), RandomView)
