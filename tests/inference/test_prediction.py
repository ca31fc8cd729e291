"""Prediction of one image."""

import numpy as np
import pytest

from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.inference.loading import load_model
from simeps_mmseg.inference.prediction import predict_image
from simeps_mmseg.inference.preparation import Preparation, preprocessed


def test_prediction_is_that_of_the_model(trained, image):
    """The parts that the tools put together are what ``model.predict`` does in one go."""
    model = load_model(trained.cfg, read_checkpoint(trained.checkpoint))
    _, data = Preparation(trained.cfg)(image)
    result = model.predict(*preprocessed(model, [data]))[0]
    branches = result.pred_sem_seg_branches.data
    found = predict_image(model, data)
    assert np.array_equal(found.labels, result.pred_sem_seg.data[0])
    assert found.disagreement == pytest.approx((branches != branches[:1]).any(dim=0).float().mean().item())
    softmax = result.seg_logits.data.softmax(dim=0)
    assert found.confidence == pytest.approx(softmax.max(dim=0).values.mean().item(), abs=1e-6)
