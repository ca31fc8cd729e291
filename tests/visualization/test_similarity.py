import numpy as np
import pytest

from simeps_mmseg.visualization.similarity import distance_figure, logged_similarity, similarity_figure
from simeps_mmseg.visualization.training_log import TrainingLog

MAPS = {
    'encoder': [np.eye(2), np.full((2, 2), 0.5)],
    'logits': [np.eye(2), np.eye(2)],
}
IMAGES = [np.full((8, 10), 50, np.uint8), np.full((10, 8, 3), 90, np.uint8)]


def heat_maps(figure):
    return [axis for axis in figure.axes if axis.images and axis.images[0].get_array().shape == (2, 2)]


def test_maps_and_differences_have_a_scale_each(tmp_path):
    figure = similarity_figure(MAPS, IMAGES)
    figure.savefig(tmp_path / 'similarity.png')
    axes = heat_maps(figure)
    scales = [axis.images[0].get_clim() for axis in axes]
    assert scales == [(0, 1), (0, 1), (-0.5, 0.5)] * 2
    assert axes[2].images[0].get_array().tolist() == [[0.5, -0.5], [-0.5, 0.5]]
    assert [axis.get_xlabel() for axis in axes if axis.get_xlabel()] == ['mean square 0.25', 'mean square 0']
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ['branch 0', 'branch 1', 'branch 0 - branch 1']


def test_images_stand_beside_their_rows():
    figure = similarity_figure(MAPS, IMAGES)
    first = heat_maps(figure)[0].get_position()
    strips = [axis for axis in figure.axes if axis.get_ylabel() in MAPS]
    assert [axis.get_ylabel() for axis in strips] == list(MAPS)
    beside = strips[0].get_position()
    assert (beside.y0, beside.height) == pytest.approx((first.y0, first.height))
    assert beside.x1 == pytest.approx(first.x0)


def test_one_branch_has_no_differences():
    figure = similarity_figure({'logits': [np.eye(2)]}, IMAGES)
    assert len(heat_maps(figure)) == 1


def test_maps_of_other_images():
    with pytest.raises(ValueError, match=r'2 images need maps of shape \(2, 2\)'):
        similarity_figure({'logits': [np.eye(3)]}, IMAGES)


def test_logged_similarity_by_part_and_stage():
    line = {'labeled.loss_similarity_logits': 0.5, 'unlabeled.loss_similarity_encoder': 0.25, 'loss': 1.0, 'step': 10}
    found = logged_similarity(TrainingLog(None, [line], []))
    assert {key: (steps.tolist(), values.tolist()) for key, (steps, values) in found.items()} == {
        ('labeled', 'logits'): ([10], [0.5]),
        ('unlabeled', 'encoder'): ([10], [0.25]),
    }


def test_distance_figure(tmp_path):
    steps = np.array([10, 20])
    figure = distance_figure({'labeled, logits': (steps, np.array([1.0, 0.1]))}, 'distance')
    figure.savefig(tmp_path / 'distance.png')
    assert figure.axes[0].get_yscale() == 'log'
    zero = distance_figure({'labeled, logits': (steps, np.array([1.0, 0.0]))}, 'distance')
    assert zero.axes[0].get_yscale() == 'linear'
