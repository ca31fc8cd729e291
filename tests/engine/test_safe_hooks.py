"""Configs that do not inherit the hooks get them."""

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from simeps_mmseg.engine.safe_hooks import SAFE_HOOKS, add_safe_hooks
from simeps_mmseg.utils.paths import shipped_folder


def test_what_is_not_there_is_added_and_what_is_there_stays():
    local = dict(type='LocalVisBackend')
    cfg = Config(
        dict(
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=7),
                non_finite=dict(type='NonFiniteHook', max_skips=3),
                stop_signals=None,
            ),
            visualizer=dict(type='SegLocalVisualizer', vis_backends=[local, dict(type='TensorboardVisBackend')]),
        )
    )
    add_safe_hooks(cfg)
    assert cfg.default_hooks.checkpoint == dict(type='WholeCheckpointHook', interval=7)
    assert cfg.default_hooks.non_finite.max_skips == 3
    assert cfg.default_hooks.random_streams == dict(type='RandomStreamsHook')
    assert 'stop_signals' not in cfg.default_hooks
    kinds = [backend.type for backend in cfg.visualizer.vis_backends]
    assert kinds == ['ValidJsonVisBackend', 'TensorboardVisBackend']


def test_what_the_runner_would_put_in_by_itself_is_this_packages_too():
    for default_hooks in (None, {}):
        cfg = Config(dict(default_hooks=default_hooks))
        add_safe_hooks(cfg)
        kinds = cfg.default_hooks.checkpoint.type, cfg.default_hooks.logger.type
        assert kinds == ('WholeCheckpointHook', 'ValidJsonLoggerHook')
    cfg = Config(dict(default_hooks=dict(checkpoint=None, logger=None)))
    add_safe_hooks(cfg)
    assert cfg.default_hooks.checkpoint is cfg.default_hooks.logger is None


@pytest.mark.parametrize(
    ('loop', 'logger', 'found'),
    [
        (dict(type='IterBasedTrainLoop', max_iters=4), {}, False),
        (dict(by_epoch=False, max_iters=4), {}, False),
        (dict(by_epoch=True, max_epochs=4), {}, None),
        (dict(type='EpochBasedTrainLoop', max_epochs=4), {}, None),
        (dict(type='IterBasedTrainLoop', max_iters=4), dict(log_metric_by_epoch=True), True),
    ],
)
def test_validations_are_logged_by_what_the_training_counts(loop, logger, found):
    cfg = Config(dict(train_cfg=loop, default_hooks=dict(logger=dict(type='LoggerHook', interval=10, **logger))))
    add_safe_hooks(cfg)
    assert cfg.default_hooks.logger.get('log_metric_by_epoch') is found


@pytest.mark.parametrize('kind', ['mmengine.CheckpointHook', 'mmengine.hooks.CheckpointHook', CheckpointHook])
def test_a_writer_that_is_named_in_another_way_is_replaced_too(kind):
    cfg = Config(dict(default_hooks=dict(checkpoint=dict(type=kind, interval=7))))
    add_safe_hooks(cfg)
    assert cfg.default_hooks.checkpoint == dict(type='WholeCheckpointHook', interval=7)


def test_a_class_of_the_same_name_elsewhere_stays(tmp_path, monkeypatch):
    (tmp_path / 'own_hooks.py').write_text(
        'from mmengine.hooks import Hook\n\n\nclass CheckpointHook(Hook):\n    pass\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    cfg = Config(dict(default_hooks=dict(checkpoint=dict(type='own_hooks.CheckpointHook'))))
    add_safe_hooks(cfg)
    assert cfg.default_hooks.checkpoint == dict(type='own_hooks.CheckpointHook')


def test_parts_without_a_type_are_left_to_what_builds_them():
    parts = dict(checkpoint=dict(interval=1), logger=dict(interval=1))
    cfg = Config(dict(default_hooks=parts, vis_backends=[dict(save_dir='a')]))
    add_safe_hooks(cfg)
    assert {key: cfg.default_hooks[key] for key in parts} == parts
    assert cfg.vis_backends == [dict(save_dir='a')]


def test_shipped_configs_have_them_all():
    hooks = Config.fromfile(shipped_folder('configs') / '_base_/default_runtime.py').default_hooks
    assert {key: hooks[key].type for key in SAFE_HOOKS} == SAFE_HOOKS
