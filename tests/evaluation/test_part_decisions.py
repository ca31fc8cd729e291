"""Missed defects and rejected good parts: against a slow version, by hand, and through the metric."""

import math

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS

from simeps_mmseg.evaluation import PartErrors, counted_region, largest_region, part_errors, trade_off
from simeps_mmseg.evaluation.part_decisions import in_words
from simeps_mmseg.utils import UserError

CLASSES = ('background', 'scratch', 'pit')


def slow_regions(labels) -> list[int]:
    """Areas of the connected regions, pixel by pixel; pixels that touch at a corner belong together."""
    left = {(row, column) for row, column in np.ndindex(labels.shape) if labels[row, column]}
    areas = []
    while left:
        region, border = set(), [left.pop()]
        while border:
            row, column = border.pop()
            region.add((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            same = {place for place in near if labels[place] == labels[row, column]}
            left -= same
            border += same
        areas.append(len(region))
    return areas


def slow_errors(pairs, num_classes, min_area) -> PartErrors:
    """Part by part, with the words of the definition."""
    defective = missed = good = rejected = 0
    showing, missed_showing = [0] * (num_classes - 1), [0] * (num_classes - 1)
    for prediction, target in pairs:
        seen = np.array([[p if t != 255 else 0 for p, t in zip(*rows)] for rows in zip(prediction, target)])
        found = any(area >= min_area for area in slow_regions(seen))
        shown = {int(value) for value in target.ravel()} - {0, 255}
        if shown:
            defective += 1
            missed += not found
            for index in shown:
                showing[index - 1] += 1
                missed_showing[index - 1] += not found
        elif (target == 0).any():
            good += 1
            rejected += found
    return PartErrors(min_area, defective, missed, good, rejected, tuple(showing), tuple(missed_showing))


def random_pairs(seed, count=40, shape=(7, 8)):
    """Sparse maps, a third of the targets without a defect, some pixels ignored, one target of ignored pixels alone."""
    generator = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        prediction = generator.choice(3, shape, p=[0.93, 0.04, 0.03]) * (generator.random() > 0.2)
        target = generator.choice(3, shape, p=[0.92, 0.04, 0.04]) * (index % 3 > 0)
        target[generator.random(shape) < 0.1] = 255
        pairs.append((prediction, target))
    pairs[0] = (pairs[0][0], np.full(shape, 255))
    return pairs


def arrays_of(pairs, num_classes=3):
    largest = torch.tensor([counted_region(*pair, num_classes) for pair in pairs])
    actual = torch.tensor([[(target == index).sum() for index in range(num_classes)] for _, target in pairs])
    return largest, actual


class TestCounts:
    @pytest.mark.parametrize('min_area', [1, 2, 4, 100])
    @pytest.mark.parametrize('seed', range(3))
    def test_equal_the_slow_version(self, seed, min_area):
        pairs = random_pairs(seed)
        assert part_errors(*arrays_of(pairs), min_area) == slow_errors(pairs, 3, min_area)

    def test_by_hand(self):
        actual = torch.tensor([[90, 10, 0], [80, 15, 5], [95, 0, 5], [100, 0, 0], [100, 0, 0], [0, 0, 0]])
        largest = torch.tensor([12, 3, 0, 0, 5, 40])
        errors = part_errors(largest, actual, min_area=4)
        # Parts 1-3 are defective: the first has a region of 12, the second only one of 3, the third none.
        assert errors == PartErrors(4, defective=3, missed=2, good=2, rejected=1, showing=(2, 2), missed_showing=(1, 2))
        assert errors.missed_percent == pytest.approx(200 / 3)
        assert errors.rejected_percent == 50
        assert errors.missed_percent_by_class == [50, 100]
        assert in_words(errors) == (
            '2 of 3 defective parts missed, 1 of 2 good parts rejected (regions of at least 4 pixels count)'
        )

    def test_a_larger_smallest_region_trades_missed_for_rejected(self):
        table = trade_off(*arrays_of(random_pairs(0)), min_areas=[4, 1, 2, 4])
        assert [errors.min_area for errors in table] == [1, 2, 4]
        missed, rejected = ([getattr(errors, key) for errors in table] for key in ('missed', 'rejected'))
        assert missed == sorted(missed)
        assert rejected == sorted(rejected, reverse=True)
        assert missed[0] < missed[-1]
        assert rejected[0] > rejected[-1]

    def test_of_nothing_are_no_share(self):
        errors = part_errors(torch.tensor([1]), torch.tensor([[5, 0]]))
        assert math.isnan(errors.missed_percent)
        assert math.isnan(errors.missed_percent_by_class[0])
        assert errors.rejected_percent == 100

    def test_an_area_below_one_is_refused(self):
        with pytest.raises(ValueError, match='min_area is 1 or more, got 0'):
            part_errors(torch.tensor([1]), torch.tensor([[5, 0]]), min_area=0)


class TestRegions:
    @pytest.mark.parametrize('seed', range(3))
    def test_the_largest_equals_the_slow_version(self, seed):
        labels = np.random.default_rng(seed).choice(3, (12, 9), p=[0.6, 0.2, 0.2])
        assert largest_region(labels, 3) == max(slow_regions(labels))

    def test_nothing(self):
        assert largest_region(np.zeros((3, 3), int), 3) == 0

    def test_what_lies_on_ignored_pixels_does_not_count(self):
        prediction, target = np.array([[1, 1, 1, 0]]), np.array([[0, 0, 255, 255]])
        assert counted_region(prediction, target, 2) == 2
        assert counted_region(prediction, np.full((1, 4), 255), 2) == 0


def evaluate(pairs, branches=None, **kwargs):
    metric = METRICS.build(dict(type='DefectIoUMetric', **kwargs))
    metric.dataset_meta = dict(classes=CLASSES)
    for index, (prediction, target) in enumerate(pairs):
        sample = dict(pred_sem_seg=dict(data=torch.as_tensor(prediction)[None]), img_path='image.png')
        sample['gt_sem_seg'] = dict(data=torch.as_tensor(target)[None])
        if branches is not None:
            sample['pred_sem_seg_branches'] = dict(data=torch.as_tensor(np.stack([b[index][0] for b in branches])))
        metric.process({}, [sample])
    return metric.evaluate(len(pairs))


class TestMetric:
    @pytest.mark.parametrize('min_area', [1, 3])
    def test_equals_the_slow_version(self, min_area):
        pairs = random_pairs(0)
        other = [(prediction[::-1].copy(), target) for prediction, target in pairs]
        scores = evaluate(pairs, [other, pairs], min_area=min_area)
        errors, of_other = slow_errors(pairs, 3, min_area), slow_errors(other, 3, min_area)
        assert scores['missed'] == pytest.approx(errors.missed_percent, abs=0.005)
        assert scores['false_alarms'] == pytest.approx(errors.rejected_percent, abs=0.005)
        assert (scores['defective_images'], scores['defect_free_images']) == (errors.defective, errors.good)
        by_class = [scores['missed.scratch'], scores['missed.pit']]
        assert by_class == pytest.approx(errors.missed_percent_by_class, abs=0.005)
        assert scores['branch_0.missed'] == pytest.approx(of_other.missed_percent, abs=0.005)
        assert scores['branch_1.missed'] == scores['missed']
        assert scores['branch_1.false_alarms'] == scores['false_alarms']
        assert 'missed.background' not in scores

    def test_the_smallest_region_changes_no_other_score(self):
        pairs = random_pairs(1)
        one, five = evaluate(pairs), evaluate(pairs, min_area=5)
        changed = {key for key in one if one[key] != five[key]}
        assert changed == {'missed', 'missed.scratch', 'missed.pit', 'false_alarms'}

    def test_says_it_in_words(self, monkeypatch):
        said = []
        monkeypatch.setattr('simeps_mmseg.evaluation.defect_iou_metric.print_log', lambda text, *_: said.append(text))
        pairs = random_pairs(2)
        evaluate(pairs, min_area=2)
        assert said[-1].splitlines()[-1] == in_words(slow_errors(pairs, 3, 2))
        assert '(regions of at least 2 pixels count)' in said[-1]

    @pytest.mark.parametrize('min_area', [0, 2.5, True, '4'])
    def test_another_smallest_region_is_refused(self, min_area):
        with pytest.raises(UserError, match=r'val_evaluator\.min_area .* 1 or more; got'):
            METRICS.build(dict(type='DefectIoUMetric', min_area=min_area))
