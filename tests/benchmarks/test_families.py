from pathlib import Path

import pytest
from mmengine.utils import get_installed_path
from mmseg.registry import MODELS

from benchmarks import families
from tests.helpers import tiny_model

CONFIGS = Path(get_installed_path('mmseg')) / '.mim/configs'
SEGMENTER = CONFIGS / 'segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py'


def test_parameters_of_a_network_that_reads_values_while_it_is_built():
    """Vision transformers turn a tensor of rates into numbers, which a network without memory cannot."""
    families.register()
    built = MODELS.build(families.stripped_model(SEGMENTER))
    assert families.parameters(SEGMENTER) == sum(parameter.numel() for parameter in built.parameters())


def test_the_smallest_stands_for_its_family():
    families.register()
    assert families.smallest(sorted(SEGMENTER.parent.glob('*.py'))) == SEGMENTER


def test_a_backbone_for_one_size_is_built_for_the_small_one():
    families.register()
    model = families.stripped_model(CONFIGS / 'beit/beit-base_upernet_8xb2-160k_ade20k-640x640.py', 64, fitted=True)
    assert (model.backbone.img_size, model.data_preprocessor.size) == ((64, 64), (64, 64))
    model.backbone.update(num_layers=4, out_indices=(0, 1, 2, 3))
    families.train_and_predict(MODELS.build(model), 64, unlabeled=0)


@pytest.mark.filterwarnings('ignore')
def test_a_family_that_works_and_one_that_does_not(monkeypatch):
    monkeypatch.setattr(families, 'SIZES', (64,))
    line = families.measure(CONFIGS / 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py', branches=2)
    assert (line['alone'], line['semi'], line['size']) == ('works', 'works', 64)
    assert not line['img_size_changed']
    monkeypatch.setattr(families, 'has_gradient', lambda parameter: False)
    line = families.measure(CONFIGS / 'fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py', branches=2)
    assert 'parameters without finite gradient' in line['semi']


def test_a_loss_that_a_step_drives_away_does_not_work(monkeypatch):
    monkeypatch.setattr(families, 'LEARNING_RATE', 1e30)
    families.register()
    model = MODELS.build(tiny_model())
    with pytest.raises(ValueError, match=r'the loss behind a step of SGD\(lr=1e\+30\) is (nan|inf)'):
        families.train_and_predict(model, 16, unlabeled=2)


def test_the_page_counts_what_both_can():
    def line(family, alone, semi, **new):
        old = dict(stack='onedl', family=family, config='c', parameters=2_000_000, size=128, alone=alone, semi=semi)
        return {**old, **new}

    lines = [
        line('a', 'works', 'works', branches=2, img_size_changed=True),
        line('b', 'works', 'ValueError: no'),
        line('c', 'ImportError: mmdet', ''),
        line('c', 'works', 'works', stack='openmmlab'),
        line('d', 'works', 'works', stack='openmmlab'),
    ]
    page = families.page(lines)
    assert '4 families were tried, MMSegmentation itself can train 4 of them, and 3 of these train as\n' in page
    assert '**1 of the 2 families that MMSegmentation itself can train here train as branches** (3 families' in page
    assert '| a | `c` | 2.0 M | 128, built for it | 2 | works | works |' in page
    assert '| b | `c` | 2.0 M | 128 |  | works | ValueError: no |' in page
    assert '| c | `c` | 2.0 M | 128 |  | ImportError: mmdet | - |' in page
