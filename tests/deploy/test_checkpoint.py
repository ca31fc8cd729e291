"""What is read of a checkpoint."""

import os

import numpy as np
import pytest
import torch

from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.deploy.checkpoint import late_rise
from simeps_mmseg.utils import UserError


def test_one_validation_says_nothing_of_a_rise():
    assert np.isnan(late_rise([(0, 50.0)]))


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    class Bad:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'),)

    torch.save(dict(state_dict={}, meta=Bad()), tmp_path / 'bad.pth')
    with pytest.raises(UserError, match='holds Python objects beside its weights'):
        read_checkpoint(tmp_path / 'bad.pth')
    assert not (tmp_path / 'ran').exists()
