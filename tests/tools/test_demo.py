import pytest
from PIL import Image

from simeps_mmseg.apis.demo import CONFIGS, data_options, run_demo, schedule_options
from simeps_mmseg.utils.config_tree import walk_dicts
from simeps_mmseg.utils.configs import load_config


@pytest.mark.slow
def test_demo_writes_its_table_and_picture(tmp_path, capsys):
    picture = run_demo(tmp_path, iters=3)
    assert 'What to label next' in (tmp_path / 'simeps_plus/report.html').read_text()
    printed = capsys.readouterr().out
    for name in ('labels only', 'simEps-plus', 'branch 2 alone'):
        assert name in printed
    with Image.open(picture) as image:
        assert min(image.size) > 500


@pytest.mark.parametrize('config', CONFIGS.values())
def test_the_demo_puts_its_data_everywhere(config, tmp_path):
    cfg = load_config(config, [*data_options(config, tmp_path), *schedule_options(6)])
    parts = [cfg.train_dataloader.dataset, cfg.val_dataloader.dataset, cfg.test_dataloader.dataset]
    assert {part.get('labeled', part)['data_root'] for part in parts} == {str(tmp_path)}
    assert [root for _, node in walk_dicts(cfg.train_dataloader.to_dict()) if (root := node.get('data_root'))] == [
        str(tmp_path)
    ]
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[0].end == 6
