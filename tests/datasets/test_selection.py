import numpy as np
import pytest

from simeps_mmseg.datasets import selection
from simeps_mmseg.datasets.selection import thin_out

# Angles in degrees of unit vectors in the plane.
ANGLES = [0, 5, 10, 90, 93]


def features(angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


@pytest.mark.parametrize(
    ('order', 'expected'),
    [
        # Within 6 degrees: 5 repeats 0; 10 repeats no kept one, for 5 is gone; 93 repeats 90.
        ([0, 1, 2, 3, 4], [-1, 0, -1, -1, 3]),
        # With 5 first, both 0 and 10 repeat it.
        ([1, 0, 2, 4, 3], [1, -1, 1, 4, -1]),
    ],
)
def test_by_hand(order, expected):
    found = thin_out(features(ANGLES), order, threshold=np.cos(np.radians(6)))
    assert found.tolist() == expected


def test_length_does_not_matter():
    scaled = features(ANGLES) * np.array([[1], [100], [0.01], [3], [7]])
    threshold = np.cos(np.radians(6))
    assert thin_out(scaled, range(5), threshold).tolist() == thin_out(features(ANGLES), range(5), threshold).tolist()


def test_the_most_similar_of_the_kept_is_named():
    assert thin_out(features([0, 10, 7]), range(3), np.cos(np.radians(8))).tolist() == [-1, -1, 1]


def test_one_keeps_all():
    assert thin_out(np.full((4, 3), 0.1), range(4), threshold=1.0).tolist() == [-1] * 4
    assert thin_out(np.zeros((3, 2)), range(3), threshold=0.5).tolist() == [-1, -1, -1]


def test_order_must_name_each_once():
    with pytest.raises(ValueError, match='order must name each row'):
        thin_out(np.ones((3, 2)), [0, 1, 1], 0.9)


def by_brute_force(rows, order, threshold):
    """Each image against all that were kept before, in float64."""
    rows = rows.astype(np.float64)
    units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    repeats, kept = np.full(len(rows), -1), []
    for index in order:
        similarity = [units[other] @ units[index] for other in kept]
        if kept and max(similarity) > threshold:
            repeats[index] = kept[int(np.argmax(similarity))]
        else:
            kept.append(index)
    return repeats.tolist()


def material(count, repeated, seed=0, width=200):
    """Features of images of one material: a common part, some twenty things in which they differ, and repeated ones."""
    generator = np.random.default_rng(seed)
    differing = generator.normal(size=(count, 20)) @ generator.normal(size=(20, width)) / 20
    rows = 1 + differing + 0.01 * generator.normal(size=(count, width))
    copies = generator.integers(0, count, repeated)
    rows[generator.permutation(count)[:repeated]] = rows[copies] * (1 + 0.01 * generator.normal(size=(repeated, width)))
    return rows


@pytest.mark.parametrize('seed', [0, 1])
@pytest.mark.parametrize(
    ('threshold', 'expected'), [(0.999, (0.1, 0.5)), (0.95, (0.5, 1)), (-0.5, (0.9, 1)), (0.99999, (0, 0.1))]
)
def test_equals_brute_force(monkeypatch, seed, threshold, expected):
    monkeypatch.setattr(selection, 'BLOCK', 16)  # many blocks, many trees
    rows = material(300, 120, seed)
    rows[7] = 0
    order = np.random.default_rng(seed).permutation(300).tolist()
    found = thin_out(rows, order, threshold)
    assert found.tolist() == by_brute_force(rows, order, threshold)
    assert expected[0] <= (found >= 0).mean() <= expected[1]


def test_float16_as_ranking_keeps_them():
    rows = material(300, 100).astype(np.float16)
    assert thin_out(rows, range(300), 0.999).tolist() == by_brute_force(rows, range(300), 0.999)


def test_images_that_are_all_alike_are_compared_once_each():
    thinning = selection.Thinning(np.tile(np.arange(1.0, 9), (2000, 1)), 0.999)
    assert set(thinning.thin(range(2000)).tolist()) == {-1, 0}
    assert thinning.comparisons < 2000 * selection.BLOCK


def test_ten_times_the_images_are_hardly_more_than_ten_times_the_comparisons():
    """All pairs would be a hundred times as many."""
    compared = []
    for count in (600, 6000):
        thinning = selection.Thinning(material(count, count // 10, width=40), 0.999)
        thinning.thin(range(count))
        compared.append(thinning.comparisons)
    assert compared[1] < 15 * compared[0]


def test_most_similar_of_two_blocks(monkeypatch):
    """One kept before the block and one within it: the more similar is named, of equal ones the first."""
    monkeypatch.setattr(selection, 'BLOCK', 2)
    threshold = np.cos(np.radians(8))
    assert thin_out(features([0, 90, 10, 4, 8]), range(5), threshold).tolist() == [-1, -1, -1, 0, 2]
    assert thin_out(features([0, 90, 10, 7, 45]), range(5), threshold).tolist() == [-1, -1, -1, 2, -1]


def test_of_nothing():
    assert thin_out(np.empty((0, 3)), [], 0.9).tolist() == []
