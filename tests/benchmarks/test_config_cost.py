"""What a step of each shipped config costs: which are measured, what beside, and the table."""

import pytest
from mmengine.config import Config

from benchmarks import config_cost
from benchmarks.config_cost import configs, markdown, twin


def line(config, seconds, plain):
    costs = [dict(parameters=1.4, seconds=value, peak_mib=int(100 * value)) for value in (seconds, *plain)]
    step, labels_only = (*costs, None)[:2]
    return dict(
        config=config,
        device='CPU, 2 threads',
        size=[96, 128],
        labeled=4,
        images=8,
        step=step,
        labels_only=labels_only,
    )


def test_all_other_configs_are_measured_beside_their_twins():
    names = configs()
    assert 'simeps/deeplabv3_neu_10pct' in names
    assert not [name for name in names if name.startswith(('supervised/', '_base_/'))]
    assert [name for name in names if twin(name) is None] == ['simeps/mixed_neu_10pct']  # of three networks


def test_a_config_is_built_at_its_own_size_and_its_twin_gets_all_images_labelled(monkeypatch):
    makers = {}

    def turns(found, rounds, device, seconds):
        makers.update(found)
        return {name: dict(parameters=1.0, peak_mib=100) for name in found}, {name: [2.0, 9.0, 1.0] for name in found}

    monkeypatch.setattr(config_cost, 'take_turns', turns)
    found = config_cost.cost('simeps/deeplabv3_neu_10pct', 'cpu')
    assert {which: (make.func, *make.args) for which, make in makers.items()} == dict(
        step=(config_cost.prepare, 'simeps/deeplabv3_neu_10pct', (256, 256), 8, 4, 'cpu'),
        labels_only=(config_cost.prepare, 'supervised/deeplabv3_neu_10pct', (256, 256), 8, 8, 'cpu'),
    )
    assert (found['labeled'], found['images']) == (4, 8)
    assert found['step'] == dict(parameters=1.0, peak_mib=100, seconds=2.0)  # the median


@pytest.mark.parametrize('name', configs())
def test_the_size_is_that_of_the_pipeline(name):
    cfg = Config.fromfile(f'configs/{name}.py')
    source = cfg.train_dataloader.dataset
    scales = [step.scale for step in source.get('labeled', source).pipeline if step.type == 'Resize']
    assert [tuple(scale) for scale in scales] in ([tuple(cfg.image_size)], [])
    assert scales or cfg.image_size == (96, 96)  # generated images


def test_the_table_has_the_newest_line_of_each_config():
    table = markdown([line('simeps/a', 9.0, (1.0,)), line('simeps/a', 6.0, (1.5,)), line('simeps/mixed', 2.0, ())])
    assert '| `simeps/a` | 4 + 4 of 96 x 128 | 1.4 | 6 | 4.0 | 5 | 600 | 4.0 |' in table
    assert '| `simeps/mixed` | 4 + 4 of 96 x 128 | 1.4 | 2 |  | 5 | 200 |  |' in table
    assert '9' not in table.split('simeps/a')[1].splitlines()[0].replace('96', '')
