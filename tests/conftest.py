"""Fixtures of all tests: everything is made here, seeded, below pytest's temporary folder."""

import functools
import gc
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.config import utils as config_utils
from mmengine.runner import Runner

import simeps_mmseg  # noqa: F401 - registers the components
from simeps_mmseg.apis import train
from simeps_mmseg.apis.prepare_data import prepare_data
from tests.helpers import experiment, tiny_branch, tiny_model

ROOT = Path(__file__).resolve().parents[1]
# Two threads are the size of the smallest supported machine; more make tiny networks slower. Beside other work, such as other
# processes of the same suite, one is faster.
torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 2)))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    from mmengine.registry import init_default_scope

    init_default_scope('mmseg')
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(scope='session', autouse=True)
def _cache_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Files that were found sound are kept with the tests, and not in the cache of whoever runs them."""
    os.environ['XDG_CACHE_HOME'] = str(tmp_path_factory.mktemp('cache'))


@pytest.fixture(scope='session', autouse=True)
def _runs_of_one_second_apart() -> Iterator[None]:
    """mmengine names loggers, message hubs and visualizers by the second; tests are faster, and would share them."""
    original, number = Runner.setup_env, itertools.count()

    def setup_env(runner: Runner, env_cfg: dict) -> None:
        original(runner, env_cfg)
        runner._timestamp = f'{runner._timestamp}_{next(number)}'

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, 'setup_env', setup_env)
        yield


@pytest.fixture(scope='session', autouse=True)
def _plain_text_of_configs() -> Iterator[None]:
    """Each runner and each checkpoint keeps the text of its config. To lay it out takes longer than to train tiny networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, False))
        yield


@pytest.fixture(scope='session', autouse=True)
def _model_index_is_read_once() -> Iterator[None]:
    """For each config that inherits from ``mmseg::`` mmengine reads the some fifty files of MMSegmentation's model index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config_utils, 'load', functools.cache(config_utils.load))
        yield


@pytest.fixture(scope='session', autouse=True)
def _imports_are_not_searched_for_garbage() -> None:
    """mmengine collects garbage for each data set, and goes through all objects of all imported modules each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def _workers_of_forgotten_loaders_end_soon() -> Iterator[None]:
    """PyTorch waits five seconds for each worker of a loader that is collected as garbage: its queue may be gone first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL', 0.1)
        yield


@pytest.fixture(scope='session')
def reference() -> dict[str, np.ndarray]:
    """Numbers of the authors' released code on seeded arrays."""
    with np.load(ROOT / 'tests/data/simeps_reference.npz') as arrays:
        return dict(arrays)


@pytest.fixture(scope='session')
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data/`` folder with a small synthetic set; not to be changed."""
    root = tmp_path_factory.mktemp('data')
    prepare_data('synthetic', data_root=root, num_train=40, num_test=6, size=32, fractions=[25])
    return root


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder of the real downloads, from ``SIMEPS_DATA``."""
    folder = os.environ.get('SIMEPS_DATA')
    if not folder:
        pytest.skip('SIMEPS_DATA does not name a folder with the downloaded archives')
    return Path(folder)


@pytest.fixture
def one_thread():
    """A second thread only waits where the network is tiny and the machine busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


@pytest.fixture(scope='session')
def image(synthetic_root) -> str:
    """One of the images."""
    return str(sorted((synthetic_root / 'synthetic/images').rglob('*.png'))[0])
