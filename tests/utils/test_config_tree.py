"""Walks through configs, and through what is built from them."""

from types import SimpleNamespace

from mmengine.config import Config

from simeps_mmseg.utils.config_tree import (
    has_key,
    leaf_configs,
    mapped_leaves,
    walk_dicts,
    walk_steps,
    without_pipelines,
)
from simeps_mmseg.utils.dataset_tree import leaf_datasets, walk_transforms

FIRST, SECOND = dict(type='A', pipeline=[dict(type='Load')]), dict(type='B', pipeline=[dict(type='Load')])
WRAPPED = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[FIRST, SECOND]))


def test_dicts_have_their_dotted_keys():
    cfg = Config(dict(model=dict(heads=[dict(type='A'), dict(type='B')], size=(1, 2))))
    found = [(key, node.get('type')) for key, node in walk_dicts(cfg.model, 'model')]
    assert found == [('model', None), ('model.heads.0', 'A'), ('model.heads.1', 'B')]
    assert list(walk_dicts([dict(a=dict(b=1))])) == [('0', dict(a=dict(b=1))), ('0.a', dict(b=1))]
    assert list(walk_dicts('text')) == []


def test_keys_lead_through_lists():
    node = dict(datasets=[dict(type=None)])
    assert has_key(node, ['datasets', '0', 'type'])
    assert not has_key(node, ['datasets', '1'])
    assert not has_key(node, ['datasets', 'type'])
    assert has_key(node, [])


def test_wrappers_are_taken_off():
    assert leaf_configs(WRAPPED) == [FIRST, SECOND]
    assert leaf_configs(FIRST) == [FIRST]


def test_leaves_are_changed_in_their_order_in_a_copy():
    numbers = iter((1, 2))
    changed = mapped_leaves(WRAPPED, lambda leaf: {**leaf, 'number': next(numbers)})
    inner = dict(type='ConcatDataset', datasets=[{**FIRST, 'number': 1}, {**SECOND, 'number': 2}])
    assert changed == dict(type='RepeatDataset', dataset=inner)
    assert leaf_configs(WRAPPED) == [FIRST, SECOND]
    assert mapped_leaves(FIRST, lambda leaf: SECOND) == SECOND


def test_without_pipelines_is_a_copy():
    assert [leaf['pipeline'] for leaf in leaf_configs(without_pipelines(WRAPPED))] == [[], []]
    assert FIRST['pipeline']
    mixed = without_pipelines(dict(type='MultiImageMixDataset', pipeline=[dict(type='Mosaic')], dataset=FIRST))
    assert (mixed['pipeline'], mixed['dataset']['pipeline']) == ([], [])


def test_steps_inside_steps():
    inner = dict(type='RandomFlip')
    nested = dict(type='RandomApply', transforms=[inner])
    assert [step['type'] for step in walk_steps([dict(type='Load'), [nested]])] == ['Load', 'RandomApply', 'RandomFlip']


def test_built_data_sets_and_transforms():
    leaf = SimpleNamespace(name='leaf')
    wrapped = SimpleNamespace(dataset=SimpleNamespace(datasets=[leaf, leaf]))
    assert list(leaf_datasets(wrapped)) == [leaf, leaf]
    assert list(leaf_datasets(leaf)) == [leaf]
    flip, table = SimpleNamespace(), SimpleNamespace(transforms={'a': 1})
    apply = SimpleNamespace(transforms=[flip])
    assert list(walk_transforms(SimpleNamespace(transforms=[apply, table]))) == [apply, flip, table]
