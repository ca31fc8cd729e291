"""Errors, disagreement, sizes and zooms, on maps small enough to work out by hand."""

import numpy as np
import pytest

from simeps_mmseg.visualization import Box, contours, disagreement_map, error_map, overlay, paint, zoom_boxes
from simeps_mmseg.visualization.resize import display_size, resize_image, resize_labels

PALETTE = [[0, 0, 0], [230, 159, 0], [86, 180, 233]]


def test_errors_by_kind():
    prediction = np.array([[0, 0, 1, 1, 2, 0, 1]])
    target = np.array([[0, 1, 0, 1, 1, 255, 255]])
    assert error_map(prediction, target).tolist() == [[0, 1, 2, 0, 3, 0, 0]]
    # another background, and none
    assert error_map(prediction, target, background=1).tolist() == [[0, 2, 1, 0, 2, 0, 0]]
    assert error_map(prediction, target, background=None).tolist() == [[0, 3, 3, 0, 3, 0, 0]]
    with pytest.raises(ValueError, match=r'prediction \(1, 7\) and target \(7, 1\)'):
        error_map(prediction, target.T)


def test_disagreement_is_the_share_of_pairs_that_differ():
    two = np.array([[[0, 1]], [[0, 2]]])
    assert disagreement_map(two).tolist() == [[0, 1]]
    four = np.array([[[0, 0]], [[0, 0]], [[0, 1]], [[1, 1]]])
    assert disagreement_map(four) == pytest.approx(np.array([[3 / 6, 4 / 6]]))
    with pytest.raises(ValueError, match='at least 2 predictions are needed, got 1'):
        disagreement_map(two[:1])


def test_contours_are_on_both_sides_of_an_edge():
    labels = np.zeros((5, 5), int)
    labels[2, 2] = 1
    one = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])
    assert contours(labels).astype(int).tolist() == one.tolist()
    assert contours(labels, width=2).sum() == 13
    assert not contours(labels, width=0).any()
    assert not contours(np.ones((3, 3)), width=2).any()


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, bool])
@pytest.mark.parametrize('width', [1, 2, 4])
def test_contours_equal_the_slow_version(dtype, width):
    labels = np.random.default_rng(width).choice([0, 1, 255], (9, 12), p=[0.8, 0.1, 0.1]).astype(dtype)
    rows, columns = np.indices(labels.shape)
    expected = np.zeros(labels.shape, bool)
    for row, column in np.ndindex(labels.shape):
        near = abs(rows - row) + abs(columns - column) <= width
        expected[row, column] = (labels[near] != labels[row, column]).any()
    np.testing.assert_array_equal(contours(labels, width), expected)


def test_paint_colours_the_foreground_and_dims_the_rest():
    image = np.full((1, 3), 100, np.uint8)
    painted = paint(image, np.array([[0, 1, 255]]), PALETTE, opacity=1.0)
    assert painted.tolist() == [[[60, 60, 60], [230, 159, 0], [60, 60, 60]]]


def test_paint_blends():
    painted = paint(np.zeros((1, 1, 3), np.uint8), np.array([[2]]), PALETTE, opacity=0.5)
    assert np.abs(painted.astype(float) - np.array(PALETTE[2]) / 2).max() <= 1


def test_overlay_keeps_thin_defects_at_full_colour_and_the_rest_as_it_is():
    image = np.full((7, 9, 3), 100, np.uint8)
    labels = np.zeros((7, 9), int)
    labels[:, 1] = 1  # thinner than its contours
    labels[1:6, 4:9] = 2
    labels[0, 8] = 255
    picture = overlay(image, labels, PALETTE, opacity=0.5, contour=1)
    assert (picture[:, 1] == PALETTE[1]).all()
    assert (picture[1, 4:9] == PALETTE[2]).all()
    assert picture[3, 6].tolist() == [93, 140, 166]  # half of 100 and half of the colour
    assert (picture[labels == 0] == 100).all()
    assert (picture[0, 8] == 100).all()
    everything = overlay(image, labels, PALETTE, opacity=1.0, contour=0, background=None)
    assert (everything[labels == 0] == 0).all()


def test_reduced_labels_lose_nothing_thin():
    labels = np.zeros((40, 40), np.int64)
    labels[:, 13] = 1
    labels[20:, 20:] = 2
    small = resize_labels(labels, (5, 5))
    assert (small[:, 1] == 1).all()
    assert small[3, 3] == 2
    assert small[0, 4] == 0
    assert set(np.unique(small)) == {0, 1, 2}


def test_enlarged_labels_and_images_are_made_of_blocks():
    labels = np.array([[0, 1], [2, 255]])
    assert resize_labels(labels, (4, 6)).tolist() == np.kron(labels, np.ones((2, 3))).tolist()
    image = np.array([[10, 20]], np.uint8)
    assert resize_image(image, (2, 4)).tolist() == [[10, 10, 20, 20]] * 2
    assert resize_image(np.array([[10, 20], [30, 40]], np.uint8), (1, 1)).tolist() == [[25]]


def test_display_size_keeps_proportions():
    assert display_size((200, 200, 3), 256) == (256, 256)
    assert display_size((100, 400), 200) == (100, 400)
    assert display_size((1, 10000), 32) == (1, 3200)


class TestZoom:
    def test_the_thinnest_defect_comes_first(self):
        defects = np.zeros((40, 80), bool)
        defects[2:14, 50:62] = True  # a block, 6 from its middle to what is outside
        defects[30, 5:16] = True  # a line
        boxes = zoom_boxes(defects, count=2)
        assert boxes == [Box(25, 0, 35, 20), Box(2, 45, 12, 65)]
        assert boxes[0].crop(defects).sum() == 11
        assert zoom_boxes(defects, count=1) == boxes[:1]

    def test_boxes_stay_inside_and_do_not_repeat(self):
        defects = np.zeros((40, 40), bool)
        defects[0, 0] = defects[3, 3] = defects[39, 39] = True
        assert zoom_boxes(defects, count=3) == [Box(0, 0, 10, 10), Box(30, 30, 40, 40)]

    def test_a_long_line_is_shown_at_its_middle(self):
        defects = np.zeros((40, 41), bool)
        defects[20] = True
        ((top, left, bottom, right),) = zoom_boxes(defects, count=5)[:1]
        assert top < 20 < bottom
        assert left < 20 < right

    def test_no_defects_no_boxes(self):
        assert zoom_boxes(np.zeros((8, 8), bool), count=2) == []
        assert len(zoom_boxes(np.ones((3, 3), bool), count=2, factor=8)) == 1
