import re

import pytest
from mmengine.config import Config

from simeps_mmseg.apis.config import doubtful_options


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('train_cfg.max_iters', None),
        ('load_from', None),
        ('train_dataloader.dataset.datasets.1.data_root', None),
        ('compile', 'compile is not in the config yet; it is added'),
        ('train_cfg.max_iter', 'train_cfg.max_iter is not in the config yet; it is added'),
        ('train_dataloader.dataset.datasets.2.data_root', 'is not in the config yet; it is added'),
        ('unlabeled.data_root', 'unlabeled is no part of a run .* so unlabeled.data_root changes nothing'),
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
