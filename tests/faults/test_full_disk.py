"""A disk on which there is no room is one message, whatever saves, and what was there before stays."""

import logging

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from simeps_mmseg.deploy.graph import write_onnx, write_torchscript
from simeps_mmseg.engine.guard.files import GuardFiles
from simeps_mmseg.engine.hooks.whole_checkpoint import WholeFileBackend
from simeps_mmseg.inference.records import palette_image
from simeps_mmseg.utils import report_user_errors
from simeps_mmseg.utils.files import whole_file
from simeps_mmseg.utils.log_files import prepare_log_files

resource = pytest.importorskip('resource')  # not on Windows

LIMIT = 10_000  # bytes of a file


@pytest.fixture
def no_room():
    """No file of this process may grow beyond ``LIMIT``."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def weights(file):
    GuardFiles(file.parent).keep_good(2, dict(state_dict=dict(w=torch.rand(LIMIT))))


def graph(write):
    def save(file):
        with whole_file(file) as partial:
            write(nn.Conv2d(3, LIMIT // 10, 1).eval(), torch.zeros(2, 3, 4, 4), partial, {})

    return save


def mask(file):
    with whole_file(file) as partial:
        palette_image(np.random.default_rng(0).integers(0, 255, (200, 200)), np.zeros((255, 3), int)).save(partial)


SAVERS = dict(
    checkpoint=('iter_2.pth', lambda file: WholeFileBackend().put(bytes(2 * LIMIT), file)),
    weights=('last_good.pth', weights),
    torchscript=('model.pt', graph(write_torchscript)),
    onnx=('model.onnx', graph(write_onnx)),
    mask=('mask.png', mask),
)


@pytest.mark.parametrize('kind', SAVERS)
def test_is_one_message(kind, tmp_path, no_room, capsys):
    name, save = SAVERS[kind]
    if kind == 'onnx':
        pytest.importorskip('onnx')
    file = tmp_path / name
    file.write_text('as before')
    assert report_user_errors(lambda: save(file)) == 1
    assert capsys.readouterr().err == f"error: [Errno 27] File too large: '{file}'; what was saved before is kept\n"
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert file.read_text() == 'as before'


def test_of_a_config_that_the_runner_writes(tmp_path, no_room, capsys):
    cfg = Config(dict(model='x' * 2 * LIMIT))
    assert report_user_errors(lambda: cfg.dump(tmp_path / 'config.py')) == 1
    assert capsys.readouterr().err == 'error: [Errno 27] File too large; what was saved before is kept\n'


def test_of_a_log_is_no_traceback(tmp_path, no_room, capsys):
    logger = logging.Logger('full')
    logger.addHandler(logging.FileHandler(tmp_path / 'a.log'))
    prepare_log_files(logger)
    for _ in range(3):
        logger.info('x' * LIMIT)
    assert capsys.readouterr().err == ''
    logger.info('%d', 'no number')
    assert 'TypeError' in capsys.readouterr().err
