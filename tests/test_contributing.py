"""What CONTRIBUTING.md prints works as it is printed."""

import math
import re
import shutil
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS

from simeps_mmseg.datasets.preparation.source import open_source
from tests.conftest import ROOT
from tests.helpers import make_samples, save

PAGE = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
PRINTED = [textwrap.dedent(found) for found in re.findall(r'^ *```python\n(.*?)^ *```', PAGE, re.DOTALL | re.MULTILINE)]
BLOCKS = {block.splitlines()[0].removeprefix('# '): block for block in PRINTED}


@pytest.fixture
def printed_module(monkeypatch):
    """Runs a printed module under the name that it is to have; what it registers is taken out again."""
    for registry in (MODELS, DATASETS):
        monkeypatch.setattr(registry, '_module_dict', dict(registry._module_dict))

    def run(file: str) -> types.ModuleType:
        name = file.removesuffix('.py').replace('/', '.')
        module = types.ModuleType(name)
        module.__package__ = name.rpartition('.')[0]
        monkeypatch.setitem(sys.modules, name, module)
        exec(BLOCKS[file], module.__dict__)
        return module

    return run


@pytest.fixture
def configs(tmp_path):
    """A copy of ``configs/`` into which printed configs are written."""
    return shutil.copytree(ROOT / 'configs', tmp_path / 'configs')


def write(configs, file):
    path = configs.parent / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(BLOCKS[file])
    return path


def test_the_method(printed_module, configs):
    printed_module('simeps_mmseg/models/segmentors/self_training.py')
    write(configs, 'configs/_base_/semi/self_training.py')
    cfg = Config.fromfile(write(configs, 'configs/self_training/unet_neu_10pct.py'))
    cfg.model.branch.backbone.base_channels = 4
    cfg.model.branch.decode_head.update(in_channels=4, channels=4)
    cfg.model.pseudo.threshold = 0.0
    model = MODELS.build(cfg.model).train()
    model.set_rampup(1.0)
    samples = [*make_samples(2, labeled=True, size=(32, 32)), *make_samples(2, labeled=False, size=(32, 32))]
    samples[-1].set_metainfo(dict(img_shape=(24, 32), pad_shape=(32, 32)))
    losses = model.loss(torch.randn(4, 3, 32, 32), samples)
    assert losses['branch_0.decode.loss_ce'] > 0
    assert losses['unlabeled.loss_self_training'] > 0


def test_the_loss(printed_module):
    loss = printed_module('simeps_mmseg/models/losses/entropy.py').EntropyLoss(loss_weight=0.5)
    logits = torch.zeros(1, 2, 1, 2, dtype=torch.float64, requires_grad=True)
    assert loss.ramp
    assert loss(logits).item() == pytest.approx(0.5 * math.log(2))
    logits = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1).requires_grad_()
    loss(logits).backward()
    slope = 0.5 * 0.75 * 0.25 * math.log(3)  # p (1 - p) (log (1 - p) - log p) of the first
    assert logits.grad.flatten().tolist() == pytest.approx([-slope, slope])


def test_the_data_set(printed_module, configs, tmp_path):
    printed_module('simeps_mmseg/datasets/my_surfaces.py')
    reader = printed_module('simeps_mmseg/datasets/preparation/my_surfaces.py').MySurfacesReader
    mask = np.zeros((32, 32), np.uint8)
    mask[8:16] = 255
    for folder, content in (('images', np.full((32, 32), 90, np.uint8)), ('masks', mask)):
        save(tmp_path / 'download' / folder / 'a.png', content)
    found = reader(open_source(tmp_path / 'download'))
    items, problems = found.find()
    assert ([item.name for item in items], problems) == (['a'], [])
    assert np.array_equal(found.load(items[0])[1], mask // 255)
    cfg = Config.fromfile(write(configs, 'configs/_base_/datasets/my_surfaces.py'))
    assert cfg.train_dataloader.dataset.type == 'MySurfacesDataset'
    assert DATASETS.get('MySurfacesDataset').METAINFO['classes'] == ('background', 'dent')


def test_the_head(printed_module, configs):
    printed_module('simeps_mmseg/models/decode_heads/two_conv_head.py')
    write(configs, 'configs/_base_/models/two_conv_unet.py')
    for kind in ('supervised', 'simeps'):
        leaf = configs / kind / 'unet_neu_10pct.py'
        twin = leaf.with_name('two_conv_unet_neu_10pct.py')
        twin.write_text(leaf.read_text().replace('unet.py', 'two_conv_unet.py'))
        model = MODELS.build(Config.fromfile(twin).model)
        network = model if kind == 'supervised' else model.branches[0]
        assert type(network.decode_head).__name__ == 'TwoConvHead'


@pytest.mark.slow
def test_what_is_printed_passes_the_linters(tmp_path):
    """As ``make lint`` looks at it, once it stands in the package."""
    for module in ('mypy', 'ruff'):
        pytest.importorskip(module, reason=f'{module} is of the extra dev')
    shutil.copytree(ROOT / 'simeps_mmseg', tmp_path / 'simeps_mmseg', ignore=shutil.ignore_patterns('__pycache__'))
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    modules = [file for file in BLOCKS if file.startswith('simeps_mmseg/')]
    for file in modules:
        (tmp_path / file).write_text(BLOCKS[file].partition('\n')[2])
    assert len(modules) == 5
    for linter in ('mypy', 'ruff check .', 'ruff format --check .'):
        done = subprocess.run([sys.executable, '-m', *linter.split()], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
