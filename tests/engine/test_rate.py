"""Another learning rate on a resume: optimisers and schedules as mmengine saves them."""

import pytest
import torch
from mmengine.optim import LinearLR, MultiStepMomentum, OptimWrapper, OptimWrapperDict, PolyLR

from simeps_mmseg.engine.resume import rate_ratio, scale_rate

RATE = 'optim_wrapper.optimizer.lr'


def wrapper(lr):
    layers = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    groups = [dict(params=layers[0].parameters()), dict(params=layers[1].parameters(), lr=10 * lr)]
    return OptimWrapper(torch.optim.SGD(groups, lr=lr, momentum=0.9))


def schedules(one):
    poly, momentum = PolyLR(one, end=9, eta_min=1e-4), MultiStepMomentum(one, [1], gamma=0.5)
    kinds = (LinearLR(one, start_factor=0.5, end=4), poly, momentum)
    for _ in range(3):
        one.optimizer.step()
        for kind in kinds:
            kind.step()
    return kinds


def saved(one):
    kinds = schedules(one)
    return dict(optimizer=one.state_dict(), param_schedulers=[kind.state_dict() for kind in kinds])


def rates(optimizer):
    return [[group[key] for key in ('lr', 'initial_lr', 'momentum')] for group in optimizer['param_groups']]


def check(found, expected, ratio):
    for own, other in zip(rates(found['optimizer']), rates(expected['optimizer'])):
        assert own == pytest.approx([other[0] * ratio, other[1] * ratio, other[2]])
    for own, other in zip(found['param_schedulers'], expected['param_schedulers']):
        factor = ratio if own['param_name'] == 'lr' else 1
        for key in ('base_values', '_last_value'):
            assert own[key] == pytest.approx([value * factor for value in other[key]])
        assert own['last_step'] == other['last_step']
        if 'eta_min' in other:
            assert own['eta_min'] == pytest.approx(1e-4 * ratio)


def test_each_group_and_each_schedule_of_the_rate_is_scaled():
    found, expected = saved(wrapper(0.1)), saved(wrapper(0.1))
    scale_rate(found, 0.5)
    check(found, expected, 0.5)


@pytest.mark.parametrize('ratio', [0.5, 1.0])
def test_so_are_those_of_several_optimisers(ratio):
    def several():
        parts = dict(a=saved(wrapper(0.1)), b=saved(wrapper(0.2)))
        keys = ('optimizer', 'param_schedulers')
        return {key: {name: part[key] for name, part in parts.items()} for key in keys}

    found, expected = several(), several()
    scale_rate(found, ratio)
    for name in ('a', 'b'):
        check(*({key: part[name] for key, part in one.items()} for one in (found, expected)), ratio)


def test_the_state_of_mmengine_is_by_name():
    """What the two tests above take for granted."""
    state = OptimWrapperDict(a=wrapper(0.1), b=wrapper(0.2)).state_dict()
    assert state.keys() == {'a', 'b'}
    assert 'param_groups' in state['a']


def test_a_rate_that_is_not_stated_changes_nothing():
    assert rate_ratio({RATE: '0.001'}, {RATE: '0.0001'}) == pytest.approx(0.1)
    assert rate_ratio({}, {RATE: '0.0001'}) == 1.0
    assert rate_ratio({RATE: 'None'}, {RATE: '0.1'}) == 1.0
