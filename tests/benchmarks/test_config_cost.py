"""What a step of each shipped config costs: which are measured, what beside, and the table."""

import pytest
from mmengine.config import Config

from benchmarks import config_cost
from benchmarks.config_cost import TABLE, configs, markdown, twin, work_of
from benchmarks.results import lines_of


def line(config, seconds, plain, same=()):
    costs = [dict(parameters=1.4, seconds=value, peak_mib=int(100 * value)) for value in (seconds, *plain)]
    step, labels_only = (*costs, None)[:2]
    return dict(
        config=config,
        same=list(same),
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


@pytest.fixture(scope='module')
def work():
    return {name: work_of(Config.fromfile(f'configs/{name}.py')) for name in configs()}


def test_the_same_network_on_another_data_set_is_the_same_work(work):
    assert work['cps/unet_neu_10pct'] == work['cps/unet_magnetic_tile_10pct']
    assert work['simeps/deeplabv3_neu_10pct'] == work['simeps/deeplabv3_magnetic_tile_10pct']


def test_other_features_images_and_networks_are_other_work(work):
    assert (
        work['simeps/released_unet_neu_10pct'] != work['simeps/released_unet_dagm_10pct']
    )  # logits; encoder and decoder
    assert work['simeps/unet_neu_10pct'] != work['simeps/unet_synthetic_2pct']
    assert work['simeps/unet_neu_10pct'] != work['ensemble/unet_neu_10pct']


def test_measured_rows_stand_for_the_configs_that_do_their_work(work):
    for line in lines_of(TABLE.results):
        same = [name for name in work if name != line['config'] and work[name] == work[line['config']]]
        assert line['same'] == same, line['config']


def test_the_table_has_the_newest_line_of_each_config():
    lines = [line('simeps/a', 9.0, (1.0,)), line('simeps/a', 6.0, (1.5,)), line('simeps/mixed', 2.0, (), ['simeps/b'])]
    table = markdown(lines)
    assert '| `simeps/a` | 4 + 4 of 96 x 128 | 1.4 | 6 | 4.0 | 5 | 600 | 4.0 |' in table
    assert '| `simeps/mixed`, `simeps/b` | 4 + 4 of 96 x 128 | 1.4 | 2 |  | 5 | 200 |  |' in table
    assert '9' not in table.split('simeps/a')[1].splitlines()[0].replace('96', '')
