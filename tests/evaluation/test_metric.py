import math

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS

from simeps_mmseg.evaluation import class_areas, confusion_matrix, image_scores
from simeps_mmseg.evaluation.functional import DECIDING

CLASSES = ('background', 'a', 'b')


def slow_image_scores(prediction, target, num_classes, ignore_index=255):
    keep = target != ignore_index
    ious, dices = [], []
    for c in range(1, num_classes):
        p, t = (prediction == c) & keep, (target == c) & keep
        if t.any():
            ious.append((p & t).sum() / (p | t).sum())
            dices.append(2 * (p & t).sum() / (p.sum() + t.sum()))
    if not ious:
        return np.nan, np.nan, np.nan
    return np.mean(ious), np.mean(dices), (prediction == target)[keep].mean()


def sample(prediction, target, branches=None):
    result = dict(
        pred_sem_seg=dict(data=torch.as_tensor(prediction)[None]),
        gt_sem_seg=dict(data=torch.as_tensor(target)[None]),
        img_path='image.png',
    )
    if branches is not None:
        result['pred_sem_seg_branches'] = dict(data=torch.as_tensor(np.stack(branches)))
    return result


def evaluate(samples, **kwargs):
    metric = METRICS.build(dict(type='DefectIoUMetric', **kwargs))
    metric.dataset_meta = dict(classes=CLASSES)
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples))


def random_maps(seed, count=1, shape=(8, 9)):
    return np.random.default_rng(seed).integers(0, len(CLASSES), (count, *shape))


@pytest.mark.parametrize('seed', range(4))
def test_image_scores_equal_the_slow_version(seed):
    prediction, target = random_maps(seed, 2)
    target[:2] = 255
    np.testing.assert_allclose(image_scores(prediction, target, 3), slow_image_scores(prediction, target, 3))


def test_image_scores_without_foreground_are_nan():
    assert np.isnan(image_scores(np.ones((2, 2), int), np.zeros((2, 2), int), 3)).all()


@pytest.mark.parametrize(
    ('prediction', 'target', 'message'),
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), r'prediction \(2, 2\) and target \(2, 3\) differ'),
        (np.full((2, 2), 3), np.zeros((2, 2)), 'the prediction holds values from 3 to 3, but there are 3'),
        (np.zeros((2, 2)), np.full((2, 2), 7), 'the target holds values from 7 to 7'),
    ],
)
def test_image_scores_errors(prediction, target, message):
    with pytest.raises(ValueError, match=message):
        image_scores(prediction, target, 3)


@pytest.mark.parametrize('options', [{}, dict(nan_to_num=0)])
def test_data_set_scores_equal_those_of_mmseg(options):
    maps = [np.minimum(random_maps(seed, 5), len(CLASSES) - 2) if options else random_maps(seed, 5) for seed in (0, 1)]
    samples = [sample(p, t) for p, t in zip(*maps)]
    ours = evaluate(samples, **options)
    stock = METRICS.build(dict(type='IoUMetric', **options))
    stock.dataset_meta = dict(classes=CLASSES)
    for one in samples:
        stock.process({}, [one])
    theirs = stock.evaluate(len(samples))
    assert {key: ours[key] for key in theirs} == theirs


def test_protocols_by_hand():
    target = np.array([[0, 0, 1, 1], [0, 0, 2, 2]])
    prediction = np.array([[0, 1, 1, 1], [0, 0, 2, 0]])
    empty = np.zeros((2, 4), int)
    wrong = np.full((2, 4), 1)
    scores = evaluate([sample(prediction, target), sample(wrong, empty)])
    # Image 1: IoU of a 2/3, of b 1/2. Image 2 has no foreground and is skipped by the per-image protocol.
    assert scores['mIoU_image'] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2, abs=0.01)
    assert scores['mDice_image'] == pytest.approx(100 * (4 / 5 + 2 / 3) / 2, abs=0.01)
    assert scores['aAcc_image'] == pytest.approx(75.0)
    # Over the data set the eight false pixels of image 2 count: a 2/11, b 1/2, background 3/13.
    assert scores['IoU.a'] == pytest.approx(100 * 2 / 11, abs=0.01)
    assert scores['mIoU_fg'] == pytest.approx(100 * (2 / 11 + 1 / 2) / 2, abs=0.01)
    assert scores['mIoU'] == pytest.approx(100 * (2 / 11 + 1 / 2 + 3 / 13) / 3, abs=0.01)


def test_a_false_alarm_is_any_defect_on_an_image_without_one():
    defect, nothing = np.array([[0, 1], [0, 2]]), np.zeros((2, 2), int)
    one_pixel = np.array([[0, 0], [0, 1]])
    uncounted = np.full((2, 2), 255)
    pairs = [(nothing, defect), (one_pixel, nothing), (nothing, nothing), (nothing, nothing), (one_pixel, uncounted)]
    scores = evaluate([sample(p, t, branches=[np.zeros((2, 2), int)]) for p, t in pairs])
    assert scores['defect_free_images'] == 3
    assert scores['false_alarms'] == pytest.approx(100 / 3, abs=0.01)
    assert scores['branch_0.false_alarms'] == 0
    assert math.isnan(evaluate([sample(defect, defect)])['false_alarms'])


def test_the_score_that_decides_sees_false_alarms():
    half = np.array([[1, 1], [0, 0]])
    wrong_beside_it, good_part = np.array([[1, 1], [2, 2]]), np.zeros((2, 2), int)
    scores = evaluate([sample(wrong_beside_it, half), sample(np.full((2, 2), 2), good_part)])
    assert scores['mIoU_image'] == 100  # the protocol of the paper does not look at what else is called a defect
    assert DECIDING[0] == 'mIoU_fg'
    assert scores['mIoU_fg'] == 50


def test_branches_are_scored_beside_the_prediction():
    targets, predictions = random_maps(0, 4), random_maps(1, 4)
    others = random_maps(2, 4)
    together = evaluate([sample(p, t, branches=[o, p]) for p, t, o in zip(predictions, targets, others)])
    alone = evaluate([sample(o, t) for o, t in zip(others, targets)])
    for key in ('mIoU', 'mIoU_fg', 'mIoU_image', 'mDice_image', 'aAcc_image'):
        assert together[f'branch_0.{key}'] == alone[key]
        assert together[f'branch_1.{key}'] == together[key]


def test_class_areas_sum_to_the_pixels():
    areas = class_areas(confusion_matrix(torch.tensor([[0, 1], [2, 2]]), torch.tensor([[0, 1], [1, 255]]), 3))
    assert areas.tolist() == [[1, 1, 0], [1, 1, 1], [1, 2, 0]]


def test_predictions_are_written(tmp_path):
    from PIL import Image

    prediction, target = random_maps(0, 2)
    evaluate([sample(prediction, target)], output_dir=str(tmp_path))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / 'image.png')), prediction)
    only_written = evaluate([sample(prediction, target)], output_dir=str(tmp_path), format_only=True)
    assert only_written == {}
