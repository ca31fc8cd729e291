from itertools import combinations

import numpy as np
import pytest

from simeps_mmseg.datasets import DAGMDataset, NEUSegDataset, SyntheticDefectDataset
from simeps_mmseg.visualization import COLOR_BLIND_SAFE, ERROR_COLORS, choose_colors, class_colors

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    'normal': np.eye(3),
    'protan': [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    'deutan': [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def lab(color, vision):
    """CIELAB of an sRGB colour as somebody sees it."""
    values = np.asarray(color) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(vision) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ seen / np.array([0.95047, 1.0, 1.08883])
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize('vision', VISION)
def test_everybody_can_tell_the_colours_apart(vision):
    for colors, apart in (
        (COLOR_BLIND_SAFE, 15),
        (COLOR_BLIND_SAFE[:3], 45),
        ((*COLOR_BLIND_SAFE[:3], *ERROR_COLORS[1:]), 25),
    ):
        for first, second in combinations(colors, 2):
            assert np.linalg.norm(lab(first, VISION[vision]) - lab(second, VISION[vision])) > apart, (first, second)


def test_plain_red_and_green_would_fail():
    assert np.linalg.norm(lab((230, 159, 0), VISION['deutan']) - lab((160, 200, 0), VISION['deutan'])) < 15


def test_background_is_black_wherever_it_is():
    assert class_colors(3) == [(0, 0, 0), *COLOR_BLIND_SAFE[:2]]
    assert class_colors(3, background=1) == [COLOR_BLIND_SAFE[0], (0, 0, 0), COLOR_BLIND_SAFE[1]]
    assert class_colors(2, background=None) == list(COLOR_BLIND_SAFE[:2])


@pytest.mark.parametrize('dataset', [NEUSegDataset, SyntheticDefectDataset])
def test_the_data_sets_here_have_the_same_colours_either_way(dataset):
    own = dataset.METAINFO['palette']
    assert choose_colors('color_blind', 4, own) == choose_colors('dataset', 4, own)


def test_more_classes_than_safe_colours():
    assert len(class_colors(12)) == 12
    own = [[k, k, k] for k in range(20)]
    assert class_colors(20, own) == [tuple(color) for color in own]
    with pytest.raises(ValueError, match='19 classes are more than the 11 colours'):
        class_colors(20, own[:5])
    assert len(choose_colors('color_blind', len(DAGMDataset.METAINFO['classes']), None)) == 11


def test_unknown_palettes():
    with pytest.raises(ValueError, match=r"colors must be one of .* got 'pretty'"):
        choose_colors('pretty', 3, None)
    with pytest.raises(ValueError, match='no palette for its 3 classes'):
        choose_colors('dataset', 3, None)
