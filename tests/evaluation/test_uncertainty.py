import math

import pytest
import torch

from simeps_mmseg.evaluation import image_uncertainty, mutual_information, shared_classes


def pixel(*networks):
    """Probabilities (K, C, 1, 1) of one pixel."""
    return torch.tensor(networks)[..., None, None]


@pytest.mark.parametrize(
    ('networks', 'expected'),
    [
        ([[1.0, 0.0], [0.0, 1.0]], math.log(2)),  # sure of different classes
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], math.log(3)),
        ([[0.5, 0.5], [0.5, 0.5]], 0.0),  # unsure, but agreed
        ([[0.9, 0.1], [0.9, 0.1]], 0.0),
        # Mean (0.75, 0.25): 0.5623 nats, less half of ln 2.
        ([[1.0, 0.0], [0.5, 0.5]], 0.75 * math.log(4 / 3) + 0.25 * math.log(4) - 0.5 * math.log(2)),
    ],
)
def test_by_hand(networks, expected):
    assert mutual_information(pixel(*networks)).item() == pytest.approx(expected, abs=1e-6)


def test_is_the_mean_divergence_from_the_mean():
    """The same by another formula: the mean over the networks of KL(network, mean)."""
    probabilities = torch.randn(3, 4, 5, 6).softmax(dim=1)
    mean = probabilities.mean(dim=0, keepdim=True)
    expected = (probabilities * (probabilities / mean).log()).sum(dim=1).mean(dim=0)
    torch.testing.assert_close(mutual_information(probabilities), expected)


def test_an_image_by_hand():
    """A defect that two networks dispute beside background that nobody doubts; then as much background again."""
    disputed = pixel([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    background = pixel([1.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    found = image_uncertainty(torch.cat([disputed, background, background, background], dim=3))
    assert found.score == pytest.approx(math.log(2))  # background has no weight
    assert found.mutual_information == pytest.approx(math.log(2) / 4)
    assert found.disagreement == 0.25
    assert found.foreground == 0.25


def test_the_likeliest_class_is_a_defect():
    disputed = pixel([0.6, 0.3, 0.1], [0.6, 0.1, 0.3])
    background = pixel([0.8, 0.0, 0.2], [0.8, 0.0, 0.2])
    found = image_uncertainty(torch.cat([disputed, background], dim=3))
    assert found.likeliest == 2


def test_nothing_but_background():
    assert image_uncertainty(pixel([1.0, 0.0], [1.0, 0.0])).score == 0


def test_shared_classes():
    probabilities = torch.tensor([[[0.6, 0.6], [0.4, 0.4]], [[0.9, 0.1], [0.1, 0.9]]])
    assert shared_classes(probabilities).tolist() == [True, False]


def test_a_single_network_is_refused():
    with pytest.raises(ValueError, match=r'two networks and two classes or more, .* got shape \(1, 2, 3\)'):
        mutual_information(torch.ones(1, 2, 3))
