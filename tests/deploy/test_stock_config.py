"""Configs that name nothing of this package."""

from copy import deepcopy

import pytest
from mmseg.registry import VISUALIZERS

from simeps_mmseg.deploy import branch_model, stock_config
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.config_tree import walk_dicts
from simeps_mmseg.utils.configs import load_config
from tests.conftest import ROOT

META = dict(classes=('background', 'scratch', 'patch', 'pit'), palette=[[0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9]])
SHIPPED = sorted(path.relative_to(ROOT / 'configs').as_posix() for path in ROOT.glob('configs/simeps/*.py'))


@pytest.mark.parametrize('name', SHIPPED)
def test_every_shipped_config_has_a_stock_form_or_says_why_not(name):
    from simeps_mmseg.utils.own_types import is_own

    cfg = load_config(name)
    if 'dropout_unet' in name or 'released_unet' in name:
        with pytest.raises(UserError, match='MMSegmentation alone has no'):
            stock_config(cfg, branch_model(cfg, 0), META)
        return
    stock = stock_config(cfg, branch_model(cfg, 2), META)
    assert not [key for key, node in walk_dicts(stock._cfg_dict) if is_own(node.get('type'))]
    assert stock.model.type == 'EncoderDecoder'
    assert [backend.type for backend in stock.vis_backends] == ['LocalVisBackend']
    VISUALIZERS.build({**stock.visualizer, 'name': f'stock {name}'})
    first = (cfg.model.get('branches') or [cfg.model.branch])[0]
    assert stock.model.data_preprocessor.mean == first.data_preprocessor.mean
    # The class says which suffix its images have; BaseSegDataset has to be told.
    assert stock.test_dataloader.dataset.img_suffix == ('.png' if 'synthetic' in name or 'dagm' in name else '.jpg')


def test_loading_of_deep_images_has_a_stock_form_without_options(trained):
    cfg = deepcopy(trained.cfg)
    cfg.test_dataloader.dataset.pipeline[0] = dict(type='LoadImageAsUint8', bit_depth=None, ignore_empty=True)
    stock = stock_config(cfg, branch_model(cfg, 0), META)
    assert stock.test_dataloader.dataset.pipeline[0] == dict(type='LoadImageFromFile', ignore_empty=True)
    cfg.test_dataloader.dataset.pipeline[0] = dict(type='LoadImageAsUint8', percentiles=(1, 99))
    with pytest.raises(UserError, match=r'MMSegmentation alone has no .*LoadImageAsUint8'):
        stock_config(cfg, branch_model(cfg, 0), META)


def test_a_hook_that_a_config_leaves_out_is_that_of_mmengine(trained):
    cfg = deepcopy(trained.cfg)
    cfg.default_hooks.update(timer=None, logger=None, visualization=None)
    stock = stock_config(cfg, branch_model(cfg, 0), META)
    assert stock.default_hooks == dict(visualization=dict(type='SegVisualizationHook'))
