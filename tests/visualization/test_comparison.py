import numpy as np
import pytest
from PIL import Image

from simeps_mmseg.visualization import ERROR_KINDS, ComparedImage, comparison_figure

PALETTE = [[0, 0, 0], [230, 159, 0], [86, 180, 233]]
CLASSES = ['background', 'scratch', 'patch']


def row(*methods, size=(12, 16)):
    labels = np.random.default_rng(0).integers(0, 3, size)
    image = np.full(size, 120, np.uint8)
    captions = {methods[0]: 'mIoU 50 %'} if methods else {}
    return ComparedImage(image, labels, dict.fromkeys(methods, labels), captions, 'a_name_that_is_much_too_long_for_it')


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_figure_has_titles_captions_and_a_legend(tmp_path):
    figure = comparison_figure([row('labels only', 'simEps')] * 2, CLASSES, PALETTE)
    figure.savefig(tmp_path / 'figure.png')
    assert len(figure.axes) == 8
    assert [axis.get_title() for axis in figure.axes[:4]] == ['image', 'ground truth', 'labels only', 'simEps']
    assert figure.axes[2].get_xlabel() == 'mIoU 50 %'
    assert figure.axes[0].get_xlabel() == 'a_name_that_…long_for_it'[:12] + '…' + 'too_long_for_it'[-12:]
    assert legend_of(figure) == CLASSES[1:]


def test_errors_take_the_place_of_classes():
    compared = row('perfect')
    compared.predictions['perfect'] = compared.target
    figure = comparison_figure([compared], CLASSES, PALETTE, errors=True)
    assert sorted(legend_of(figure)) == sorted([*CLASSES[1:], *ERROR_KINDS[1:]])
    grey = figure.axes[2].images[0].get_array()
    assert (grey == 72).all()  # nothing is wrong, so nothing is painted


def test_long_titles_are_wrapped_and_rows_keep_their_proportions():
    name = 'a method with a long name, trained for long'
    figure = comparison_figure([row(name, size=(10, 40)), row(name, size=(40, 40))], CLASSES, PALETTE)
    assert figure.axes[2].get_title().count('\n') == 1
    figure.draw_without_rendering()
    heights = [figure.axes[k].get_position().height for k in (0, 3)]
    assert heights[1] / heights[0] == pytest.approx(4, rel=0.1)


def test_figure_errors():
    with pytest.raises(ValueError, match='at least one image'):
        comparison_figure([], CLASSES, PALETTE)
    with pytest.raises(ValueError, match='same methods'):
        comparison_figure([row('a'), row('b')], CLASSES, PALETTE)


def test_a_scratch_of_one_pixel_in_a_large_image_is_seen(tmp_path):
    target = np.zeros((1600, 1600), np.int64)
    target[803] = 1
    compared = ComparedImage(np.full((1600, 1600), 120, np.uint8), target, {'simEps': target}, {})
    figure = comparison_figure([compared], CLASSES, PALETTE)
    figure.savefig(tmp_path / 'figure.png', dpi=150)
    with Image.open(tmp_path / 'figure.png') as picture:
        pixels = np.asarray(picture.convert('RGB')).astype(int)
    orange = (pixels[..., 0] - pixels[..., 2] > 60).any(axis=0)
    columns = np.flatnonzero(orange[: round(0.98 * len(orange))])
    assert len(columns) > 2 * 250  # across ground truth and prediction, each some 290 pixels wide
