import numpy as np
import pytest

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
