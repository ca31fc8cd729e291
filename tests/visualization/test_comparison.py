import numpy as np
import pytest

from simeps_mmseg.visualization import ComparedImage, comparison_figure, paint

PALETTE = [[0, 0, 0], [230, 159, 0], [86, 180, 233]]
CLASSES = ['background', 'scratch', 'patch']


def row(*methods):
    labels = np.random.default_rng(0).integers(0, 3, (12, 16))
    image = np.full((12, 16), 120, np.uint8)
    return ComparedImage(image, labels, dict.fromkeys(methods, labels), {methods[0]: 'mIoU 50 %'} if methods else {})


def test_paint_colours_the_foreground_and_dims_the_rest():
    image = np.full((1, 3), 100, np.uint8)
    painted = paint(image, np.array([[0, 1, 255]]), PALETTE, opacity=1.0)
    assert painted.tolist() == [[[60, 60, 60], [230, 159, 0], [60, 60, 60]]]


def test_paint_blends():
    painted = paint(np.zeros((1, 1, 3), np.uint8), np.array([[2]]), PALETTE, opacity=0.5)
    assert np.abs(painted.astype(float) - np.array(PALETTE[2]) / 2).max() <= 1


def test_figure_has_titles_captions_and_a_legend(tmp_path):
    figure = comparison_figure([row('labels only', 'simEps')] * 2, CLASSES, PALETTE)
    figure.savefig(tmp_path / 'figure.png')
    assert len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:4]] == ['image', 'ground truth', 'labels only', 'simEps']
    assert figure.axes[2].get_xlabel() == 'mIoU 50 %'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == CLASSES[1:]


def test_figure_errors():
    with pytest.raises(ValueError, match='at least one image'):
        comparison_figure([], CLASSES, PALETTE)
    with pytest.raises(ValueError, match='same methods'):
        comparison_figure([row('a'), row('b')], CLASSES, PALETTE)
