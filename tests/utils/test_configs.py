import re

import pytest
from mmengine.config import Config

from simeps_mmseg.utils import UserError
from simeps_mmseg.utils import configs as config
from simeps_mmseg.utils.configs import doubtful_options, load_config, merge_options


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('train_cfg.max_iters', None),
        ('load_from', None),
        ('train_dataloader.dataset.datasets.1.data_root', None),
        ('compile', 'compile is not in the config yet; it is added'),
        ('train_cfg.max_iter', 'train_cfg.max_iter is not in the config yet; it is added'),
        ('unlabeled.data_root', 'unlabeled is no part of a run .* so unlabeled.data_root probably changes nothing'),
        ('trian_cfg.max_iters', 'trian_cfg is no part of a run'),
    ],
)
def test_options_that_are_likely_to_be_misspelt(key, message):
    datasets = [dict(data_root='a'), dict(data_root='b')]
    cfg = Config(
        dict(
            unlabeled=dict(data_root='b'),
            train_cfg=dict(max_iters=9),
            load_from=None,
            train_dataloader=dict(dataset=dict(datasets=datasets)),
        )
    )
    warnings = list(doubtful_options(cfg, [key]))
    if message is None:
        assert warnings == []
    else:
        (warning,) = warnings
        assert re.search(message, warning)


def test_options_are_merged_and_doubts_are_said_once(monkeypatch):
    lines = []
    monkeypatch.setattr(config, 'print_log', lambda text, *args: lines.append(text))
    cfg = Config(dict(train_cfg=dict(max_iters=9), train_dataloader=dict(dataset=dict(datasets=[dict(data_root='a')]))))
    merge_options(cfg, ['train_cfg.max_iters=5', 'train_cfg.val_interval=2'])
    assert cfg.train_cfg == dict(max_iters=5, val_interval=2)
    assert lines == ['--cfg-options: train_cfg.val_interval is not in the config yet; it is added']
    with pytest.raises(UserError, match='the config has no such place'):
        merge_options(cfg, ['train_dataloader.dataset.datasets.2.data_root=b'])
    monkeypatch.setenv('RANK', '1')
    cfg.launcher = 'pytorch'
    merge_options(cfg, ['train_cfg.val_begin=1'])
    assert len(lines) == 1


@pytest.mark.parametrize(
    'statement', ["custom_imports = dict(imports='not_there.losses')", 'from not_there import losses']
)
def test_a_package_that_a_config_imports_is_named(tmp_path, statement):
    file = tmp_path / 'config.py'
    file.write_text(f'{statement}\n')
    with pytest.raises(
        UserError,
        match=r"config .*config.py cannot be read: an import fails: No module named 'not_there'. Install the package",
    ):
        load_config(file)


def test_a_name_that_a_module_lacks_is_no_missing_package(tmp_path, monkeypatch):
    (tmp_path / 'losses_of_mine.py').write_text('from pathlib import Paht\n')
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / 'config.py'
    file.write_text("custom_imports = dict(imports='losses_of_mine')\n")
    with pytest.raises(
        UserError, match=r"cannot be read: an import fails: cannot import name 'Paht' from 'pathlib' \(.*\)$"
    ):
        load_config(file)
