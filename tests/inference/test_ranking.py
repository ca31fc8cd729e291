"""The order in which images are to be labelled."""

import numpy as np
import torch

from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.evaluation.uncertainty import ImageUncertainty
from simeps_mmseg.inference.loading import load_model, networks_of
from simeps_mmseg.inference.prediction import predict_image
from simeps_mmseg.inference.preparation import Preparation
from simeps_mmseg.inference.ranking import probabilities_and_features, rank


def test_probabilities_are_those_of_the_networks(trained, image):
    model = load_model(trained.cfg, read_checkpoint(trained.checkpoint))
    _, data = Preparation(trained.cfg)(image)
    probabilities, features = probabilities_and_features(model, data)
    assert probabilities.shape == (3, 4, 32, 32)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(3, 32, 32))
    assert features.shape == (3 * 8 * 16,)  # 8 channels at the deepest level of each, on a grid of 4 x 4
    np.testing.assert_allclose(np.linalg.norm(features), 3**0.5, rtol=1e-5)
    batch = model.data_preprocessor(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]), False)
    with torch.no_grad():
        expected = model.teachers[2].module.encode_decode(batch['inputs'], [data['data_samples'].metainfo])
    torch.testing.assert_close(probabilities[2], expected[0].softmax(dim=0))


def test_an_image_passes_each_network_once_as_it_does_to_be_segmented(trained, image):
    model = load_model(trained.cfg, read_checkpoint(trained.checkpoint), 'cpu')
    passes = []
    for network in networks_of(model):
        network.backbone.register_forward_hook(lambda *_, network=network: passes.append(id(network)))
    _, data = Preparation(trained.cfg)(image)
    for look in (probabilities_and_features, predict_image):
        passes.clear()
        look(model, data)
        assert len(passes) == len(set(passes)) == 3


def test_near_duplicates_go_behind_all_others():
    scores = dict(a=0.1, b=0.5, c=0.4, d=0.2)
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.01, 1.0], [1.0, 1.0]])
    ranking = rank(list(scores), [ImageUncertainty(score, 0, 0, 0, 1) for score in scores.values()], features, 0.99)
    assert [(image.name, image.repeats) for image in ranking] == [('b', ''), ('d', ''), ('a', ''), ('c', 'b')]


def test_classes_take_turns():
    """Near-duplicates take no turn: e is the first of its class that does."""
    images = dict(a=(0.9, 1), b=(0.8, 1), c=(0.7, 1), d=(0.6, 2), e=(0.5, 3), f=(0.4, 2), g=(0.55, 3))
    uncertainties = [ImageUncertainty(score, 0, 0, 0, likeliest) for score, likeliest in images.values()]
    features = np.vstack([np.eye(6), np.eye(6)[0]])
    ranking = rank(list(images), uncertainties, features, 0.99)
    assert [image.name for image in ranking] == ['a', 'd', 'e', 'b', 'f', 'c', 'g']
