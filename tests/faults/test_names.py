"""Names of files that are no UTF-8: no tool breaks on them, and each says which file it is."""

import io
import logging
import os
import sys

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from simeps_mmseg.apis.check_dataset import check_dataset
from simeps_mmseg.apis.predict import predict
from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
from simeps_mmseg.datasets.splits import write_split
from simeps_mmseg.utils import UserError, report_user_errors
from simeps_mmseg.utils.streams import write_any_name
from simeps_mmseg.visualization.text import text_strip
from tests.faults.small_set import config, make

BAD = b'/\xff.png'


@pytest.fixture
def trained(tmp_path):
    """Folder with a set of which one unlabelled image has such a name, a config and a checkpoint."""
    folder = os.fsencode(make(tmp_path) / 'unlabelled/images')
    os.rename(folder + b'/0.png', folder + BAD)
    cfg = config(tmp_path)
    for part in (cfg.model.branch.backbone, cfg.model.branch.decode_head):
        part.norm_cfg.type = 'BN'
    cfg.dump(tmp_path / 'config.py')
    meta = dict(dataset_meta=dict(classes=('background', 'crack', 'pit'), palette=[[0] * 3, [1] * 3, [2] * 3]))
    torch.save(dict(meta=meta, state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'weights.pth')
    return tmp_path


def test_check_dataset_names_it(trained, monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), 'utf-8', errors='strict')
    monkeypatch.setattr(sys, 'stdout', terminal)
    with open(os.fsencode(trained / 'unlabelled/images') + BAD, 'wb') as file:
        file.write(b'no image')
    assert report_user_errors(lambda: check_dataset(str(trained / 'config.py'))) == 1
    terminal.flush()
    assert r'images/\udcff.png (unlabelled): expected a readable image' in terminal.buffer.getvalue().decode()


def test_predict_and_rank_list_it(trained):
    files = [str(trained / name) for name in ('config.py', 'weights.pth', 'unlabelled/images')]
    predict(*files, out=str(trained / 'out'))
    assert '\\xff.png' in (trained / 'out/records.csv').read_text(encoding='utf-8')
    assert os.path.exists(os.fsencode(trained / 'out/masks') + BAD)
    rank_unlabeled(*files, out=str(trained / 'rank'))
    assert ',\\xff.png,' in (trained / 'rank/ranking.csv').read_text(encoding='utf-8')
    assert (trained / 'rank/contact_sheet.png').is_file()


def test_a_log_takes_it(tmp_path):
    handler = logging.FileHandler(tmp_path / 'a.log', encoding='utf-8')
    write_any_name([handler.stream])
    handler.emit(logging.LogRecord('a', logging.INFO, '', 0, '\udcff.png', None, None))
    handler.close()
    assert (tmp_path / 'a.log').read_text() == '\\udcff.png\n'


def test_pictures_show_it():
    assert np.array_equal(text_strip(['\udcff.png'], 200), text_strip(['\\xff.png'], 200))


def test_a_list_cannot_hold_it(tmp_path):
    with pytest.raises(UserError, match=r'1 name of files cannot be written in it \(\\xff\.png\); rename'):
        write_split(tmp_path / 'list.txt', ['a', '\udcff.png'])
    assert not (tmp_path / 'list.txt').exists()
