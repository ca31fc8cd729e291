"""Schedules in epochs as schedules in iterations."""

import pytest
import torch
from mmseg.registry import PARAM_SCHEDULERS

from simeps_mmseg.conversion.schedule import iteration_based, scheduler_in_iterations
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
