"""The config that the README prints for writing by hand, over stock configs of MMSegmentation, as printed."""

import re
from pathlib import Path

import mmseg
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from simeps_mmseg.apis.train import train
from simeps_mmseg.models.utils.pretrained import remove_pretrained
from simeps_mmseg.utils.config_tree import walk_dicts
from simeps_mmseg.utils.paths import shipped_folder
from tests.apis.test_make_semi import make_files, shrink
from tests.conftest import ROOT
from tests.helpers import save

STOCK = Path(mmseg.__file__).parent / '.mim/configs'
CONFIGS = [
    'segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
    'unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py',  # RepeatDataset
    'upernet/upernet_r18_4xb4-20k_voc12aug-512x512.py',  # ConcatDataset
]
LARGE = [
    'convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py',  # custom_imports
    'deeplabv3/deeplabv3_r50-d8_4xb4-20k_voc12aug-512x512.py',
    'fcn/fcn_r50-d8_4xb4-80k_ade20k-512x512.py',
    'pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py',
]


def printed(base: str) -> str:
    """The config of README.md, with the paths of its two base files that are the reader's."""
    (config,) = re.findall(
        r"```python\n(_base_ = \['my_config\.py'.*?)```", (ROOT / 'README.md').read_text(), re.DOTALL
    )
    semi = (shipped_folder('configs').parent / 'configs').as_posix()
    return config.replace('my_config.py', base).replace('path/to/simeps_mmseg/configs', semi)


@pytest.mark.parametrize('name', [*CONFIGS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
@pytest.mark.usefixtures('one_thread')
def test_trains_as_printed(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = Config.fromfile(STOCK / name)
    for seed, loader in enumerate(('train_dataloader', 'val_dataloader'), 1):
        make_files(base[loader].dataset, seed=seed)
    rng = np.random.default_rng(0)
    for image in ('a.jpg', 'b.png', 'deep/c.bmp'):
        save(Path('data/unlabeled') / image, rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    Path('stock.py').write_text(small(base))
    save_network(Config.fromfile('stock.py'), 'my.pth')
    Path('semi.py').write_text(printed('stock.py'))
    runner = train('semi.py', from_scratch=True)
    assert runner.iter == 2
    assert len(runner.train_dataloader.dataset.datasets[1]) == 3
    assert type(runner.model).__name__ == 'TriBranchSemiSegmentor'
    assert [hook for hook in runner.hooks if type(hook).__name__ == 'SemiSupervisedHook']


def save_network(cfg: Config, file: str) -> None:
    """Write the weights of a config's network."""
    init_default_scope('mmseg')
    remove_pretrained(cfg)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), file)


def small(base: Config) -> str:
    """A stock config with what lets two CPU cores train it two steps: small images, no workers."""
    cfg = base.copy()
    sampler = cfg.train_dataloader.sampler.copy()
    shrink(cfg)
    cfg.train_dataloader.sampler = sampler
    cfg.train_dataloader.batch_size = 4
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    for _, node in walk_dicts(cfg._cfg_dict):
        if node.get('type') == 'Resize':
            node['scale'] = (64, 64)
        if node.get('mode') == 'slide':
            node.update(crop_size=(64, 64), stride=(64, 64))
    cfg.train_cfg.update(max_iters=2, val_interval=10)
    for scheduler in cfg.param_scheduler:
        scheduler.update(begin=0, end=2)
    return cfg.pretty_text
