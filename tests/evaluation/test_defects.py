import numpy as np
import pytest

from simeps_mmseg.evaluation import Defect, area_record, connected_defects


def slow_regions(labels, index):
    """Connected pixels of a class by repeated growing, one pixel at a time."""
    left = {tuple(map(int, pixel)) for pixel in np.argwhere(labels == index)}
    while left:
        region, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front.extend(near)
        yield region


@pytest.mark.parametrize('seed', range(3))
def test_against_growing_regions(seed):
    labels = np.random.default_rng(seed).choice(4, size=(23, 31), p=[0.7, 0.1, 0.1, 0.1]).astype(np.uint8)
    expected = set()
    for index in (1, 2, 3):
        for region in slow_regions(labels, index):
            (top, left), (bottom, right) = np.min(list(region), axis=0), np.max(list(region), axis=0)
            expected.add((index, len(region), (left, top, right - left + 1, bottom - top + 1)))
    found = connected_defects(labels, num_classes=4)
    assert {tuple(defect) for defect in found} == expected
    assert len(found) == len(expected)
    assert connected_defects(labels, 4, min_area=3) == [defect for defect in found if defect.area >= 3]


def test_touching_regions_of_two_classes_are_two():
    assert connected_defects(np.array([[1, 1, 2]]), 3) == [Defect(1, 2, (0, 0, 2, 1)), Defect(2, 1, (2, 0, 1, 1))]


def test_what_is_no_class_does_not_count():
    assert connected_defects(np.array([[255, 3, 0]]), num_classes=3) == []


def test_record_by_hand():
    labels = np.array([[0, 1, 1, 0, 2], [0, 0, 0, 0, 0]])
    assert area_record(labels, ['good', 'scratch', 'pit'], min_area=2) == dict(
        height=2,
        width=5,
        area_pixels=dict(good=7, scratch=2, pit=1),
        area_percent=dict(good=70.0, scratch=20.0, pit=10.0),
        defects=[{'class': 'scratch', 'area': 2, 'box': [1, 0, 2, 1]}],
        defect_count=dict(scratch=1, pit=0),
    )


def test_a_batch_is_refused():
    with pytest.raises(ValueError, match=r'shape \(h, w\), got \(1, 2, 2\)'):
        connected_defects(np.zeros((1, 2, 2)), 2)
