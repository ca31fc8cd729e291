from pathlib import Path
from typing import NamedTuple

import pytest
from mmengine.config import Config

from simeps_mmseg.apis import train
from tests.helpers import experiment, tiny_branch, tiny_model


class Trained(NamedTuple):
    cfg: Config
    config: str
    checkpoint: str


def _train(data: Path, folder: Path, **changes) -> Trained:
    cfg = experiment(data, folder, max_iters=2, **changes)
    # mmengine keeps one visualizer, log and history per name: with a common one, scores would go to another test's folder.
    cfg.experiment_name = cfg.visualizer.name = folder.name
    cfg.dump(folder / 'config.py')
    train(str(folder / 'config.py'))
    return Trained(cfg, str(folder / 'config.py'), str(folder / 'iter_2.pth'))


@pytest.fixture(scope='session')
def trained(synthetic_root, tmp_path_factory) -> Trained:
    """Three branches with moving averages after two steps and a validation; not to be changed."""
    teacher = dict(type='ExponentialMovingAverage', momentum=0.5)
    model = tiny_model(branch=tiny_branch(auxiliary=True), teacher=teacher, test_cfg=dict(branch_predictions=True))
    return _train(synthetic_root, tmp_path_factory.mktemp('semi'), model=model)


@pytest.fixture(scope='session')
def trained_plain(synthetic_root, tmp_path_factory) -> Trained:
    """A single network likewise."""
    branch = tiny_branch()
    for part in (branch.backbone, branch.decode_head):
        part.norm_cfg.type = 'BN'
    return _train(synthetic_root, tmp_path_factory.mktemp('plain'), model=branch, semi=False)
