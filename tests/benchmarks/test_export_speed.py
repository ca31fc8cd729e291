import torch
from mmengine.config import Config
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS

from benchmarks.export_speed import by_mmseg, stock_branch
from tests.helpers import tiny_branch, tiny_model


def test_the_stock_model_is_the_branch_with_its_weights():
    """Else the ratio would compare two networks, or a network of the exporter with itself."""
    model = MODELS.build(tiny_model(teacher=dict(type='ExponentialMovingAverage', momentum=0.5))).eval()
    for parameter in model.teachers.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    cfg = Config(dict(model=tiny_model(branch=tiny_branch())))
    before = cfg.pretty_text
    stock = stock_branch(cfg, dict(state_dict=model.state_dict()), 1)
    assert type(stock) is EncoderDecoder
    assert cfg.pretty_text == before
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    model.test_cfg['predict_on'] = 1
    assert torch.equal(by_mmseg(stock)(images), by_mmseg(model)(images))
