"""Schedules in epochs as schedules in iterations."""

import pytest
import torch
from mmseg.registry import PARAM_SCHEDULERS

from simeps_mmseg.conversion.schedule import iteration_based, of_length, scheduler_in_iterations
from simeps_mmseg.utils import UserError


class TestSchedule:
    def test_learning_rates_are_the_same(self):
        """Step by step: steps against mmengine's schedulers by epoch, smooth ones against its own conversion."""
        steps, epochs = 5, 12
        for scheduler in (dict(type='MultiStepLR', milestones=[4, 9], gamma=0.1), dict(type='StepLR', step_size=3)):
            by_epoch = learning_rates(scheduler, steps, epochs)
            assert learning_rates(scheduler_in_iterations(scheduler, steps), 1, steps * epochs) == pytest.approx(
                by_epoch
            )
        for scheduler in (
            dict(type='PolyLR', eta_min=0.0, power=0.9, begin=2, end=12),
            dict(type='CosineAnnealingLR', T_max=12),
            dict(type='ConstantLR', factor=0.1, begin=0, end=4),
            dict(type='LinearLR', start_factor=0.1, begin=0, end=3),
            dict(type='CosineRestartLR', periods=[4, 8], restart_weights=[1, 0.5], eta_min=0.0),
        ):
            converted = learning_rates(
                {**scheduler, 'convert_to_iter_based': True, 'epoch_length': steps}, 1, steps * epochs
            )
            own = scheduler_in_iterations({**scheduler, 'convert_to_iter_based': True}, steps)
            assert learning_rates(own, 1, steps * epochs) == pytest.approx(converted)
        smooth = scheduler_in_iterations(dict(type='ExponentialLR', gamma=0.5), steps)
        assert smooth['gamma'] ** steps == pytest.approx(0.5)

    def test_what_counts_iterations_stays(self):
        warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100)
        assert scheduler_in_iterations(warmup, 10) == warmup
        cfg = dict(train_cfg=dict(by_epoch=True, max_epochs=3, dynamic_intervals=[(2, 1)]), param_scheduler=warmup)
        changes = iteration_based(cfg, 10)
        assert changes['param_scheduler'] == [warmup]
        assert changes['train_cfg']['dynamic_intervals'] == [(20, 10)]
        cfg['default_hooks'] = dict(checkpoint=dict(interval=1, save_begin=3))
        expected = dict(type='CheckpointHook', by_epoch=False, interval=10, save_begin=30)
        assert iteration_based(cfg, 10)['default_hooks']['checkpoint'] == expected
        with pytest.raises(UserError, match='OneCycleLR needs total_steps'):
            scheduler_in_iterations(dict(type='OneCycleLR', eta_max=1.0), 10)


class TestLength:
    def test_everything_shrinks_alike(self):
        """A training of half the steps passes the same rates, every second one."""
        for scheduler in (
            dict(type='MultiStepLR', milestones=[8, 14], gamma=0.1),
            dict(type='StepLR', step_size=4),
            dict(type='ExponentialLR', gamma=0.9),
            dict(type='CosineAnnealingLR', T_max=20, eta_min=0.0),
            dict(type='CosineRestartLR', periods=[8, 12], restart_weights=[1, 0.5], eta_min=0.0),
            dict(type='OneCycleLR', eta_max=1.0, total_steps=20, pct_start=0.4),
        ):
            scheduler['by_epoch'] = False
            cfg = dict(train_cfg=dict(max_iters=20), param_scheduler=scheduler)
            (half,) = of_length(cfg, 10)['param_scheduler']
            if 'OneCycle' in scheduler['type']:
                assert half['total_steps'] == 10
            else:
                assert learning_rates(half, 1, 10) == pytest.approx(learning_rates(scheduler, 1, 20)[::2])

    def test_what_counts_no_iterations_stays(self):
        plateau = dict(type='ReduceOnPlateauLR', monitor='mIoU', by_epoch=False, patience=3)
        by_epoch = dict(type='StepLR', step_size=5)
        cfg = dict(
            train_cfg=dict(max_iters=1000, dynamic_intervals=[(0, 100), (500, 50)]), param_scheduler=[plateau, by_epoch]
        )
        changes = of_length(cfg, 100)
        assert changes['param_scheduler'] == [plateau, by_epoch]
        assert changes['train_cfg'] == dict(max_iters=100, val_interval=100, dynamic_intervals=[[0, 10], [50, 5]])

    def test_a_stretch_of_less_than_a_step_is_one(self):
        warmup = dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=10)
        decay = dict(type='PolyLR', by_epoch=False, begin=10, end=11)
        changes = of_length(dict(train_cfg=dict(max_iters=10000), param_scheduler=[warmup, decay]), 100)
        assert [(one['begin'], one['end']) for one in changes['param_scheduler']] == [(0, 1), (1, 2)]

    @pytest.mark.parametrize(
        ('cfg', 'message'),
        [
            (dict(), 'needs train_cfg.max_iters or train_cfg.max_epochs'),
            (
                dict(train_cfg=dict(max_iters=9), param_scheduler=dict(type='StepLR', convert_to_iter_based=True)),
                'has convert_to_iter_based in a training by iterations',
            ),
        ],
    )
    def test_what_cannot_be_brought_to_another_length(self, cfg, message):
        with pytest.raises(UserError, match=message):
            of_length(cfg, 3)


def learning_rates(config: dict, every: int, count: int) -> list[float]:
    """Of each step, where the scheduler moves on after ``every`` steps, ``count`` times."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = PARAM_SCHEDULERS.build(config, default_args=dict(optimizer=optimizer))
    rates = []
    for _ in range(count):
        rates += [optimizer.param_groups[0]['lr']] * every
        optimizer.step()
        scheduler.step()
    return rates
