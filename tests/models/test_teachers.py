"""Moving averages that teach: where they count, and that no step waits for the device."""

import pytest
import torch
from mmseg.registry import MODELS

from simeps_mmseg.engine.pseudo_label_health import PseudoLabelHealth
from simeps_mmseg.models.segmentors import StepRecord
from simeps_mmseg.models.utils.teachers import move_average
from tests.helpers import tiny_model


@pytest.fixture(params=['ExponentialMovingAverage', 'MomentumAnnealingEMA'])
def on_device(request):
    """A model on the meta device: as on a GPU its values are not in host memory, and asking for one raises."""
    return MODELS.build(tiny_model(teacher=dict(type=request.param, momentum=0.01))).to('meta').train()


@pytest.mark.parametrize('update_buffers', [False, True])
@pytest.mark.parametrize('place', [dict(memory_format=torch.channels_last), dict(dtype=torch.float64)])
def test_they_move_wherever_the_weights_have_gone(update_buffers, place):
    average = dict(type='ExponentialMovingAverage', momentum=0.25, update_buffers=update_buffers)
    model = MODELS.build(tiny_model(teacher=average)).to(**place).train()
    model.update_teachers()
    with torch.no_grad():
        for parameter in model.branches.parameters():
            parameter.add_(1.0)
    before = [parameter.clone() for parameter in model.teachers.networks[1].parameters()]
    model.update_teachers()
    for old, new in zip(before, model.teachers.networks[1].parameters()):
        torch.testing.assert_close(new, old + 0.25)


def test_the_count_of_updates_stays_in_host_memory(on_device):
    assert all(p.is_meta for p in on_device.parameters())
    assert [str(teacher.steps.device) for teacher in on_device.teachers] == ['cpu'] * 3


def test_updates_ask_for_no_value_on_the_device(on_device):
    with pytest.raises(RuntimeError):
        bool(next(on_device.parameters()).sum() == 0)  # what would be asking
    for labels_alone, steps in ((True, 1), (True, 1), (False, 2), (False, 3)):
        on_device.labels_alone = labels_alone
        on_device.update_teachers()
        assert [teacher.steps.item() for teacher in on_device.teachers] == [steps] * 3


def test_the_count_is_in_checkpoints_as_before(on_device):
    state = {key: value for key, value in on_device.state_dict().items() if key.endswith('steps')}
    assert list(state) == [f'teachers.{k}.steps' for k in range(3)]
    assert all(value.dtype == torch.int64 for value in state.values())


def test_data_parallelism_does_not_send_the_counts(on_device):
    assert on_device._ddp_params_and_buffers_to_ignore == [f'teachers.{k}.steps' for k in range(3)]


def test_statistics_of_a_step_ask_for_no_value_on_the_device():
    health = PseudoLabelHealth(['a', 'b'])
    maps = [torch.zeros(2, 4, 4, dtype=torch.int64, device='meta')] * 3
    for _ in range(2):
        health.update(StepRecord(maps[0], maps, maps, 255))


@pytest.mark.parametrize('update_buffers', [False, True])
@pytest.mark.parametrize(
    'average',
    [
        dict(type='ExponentialMovingAverage', momentum=0.2),
        dict(type='ExponentialMovingAverage', momentum=0.2, interval=2),
        dict(type='MomentumAnnealingEMA', momentum=0.2, gamma=3),
        dict(type='StochasticWeightAverage'),
    ],
)
def test_averages_are_those_of_mmengine_to_the_bit(average, update_buffers):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1))
    ours, theirs = (MODELS.build(dict(**average, update_buffers=update_buffers, model=network)) for _ in range(2))
    for _ in range(5):
        with torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                tensor.add_(torch.rand_like(tensor.float()).to(tensor.dtype))
        move_average(ours, network)
        theirs.update_parameters(network)
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), atol=0, rtol=0)
    assert not torch.equal(ours.module[0].weight, network[0].weight)


def test_an_average_costs_one_launch(monkeypatch):
    average = MODELS.build(dict(type='ExponentialMovingAverage', momentum=0.2, model=torch.nn.Linear(2, 2)))
    monkeypatch.setattr(average, 'update_parameters', None)
    move_average(average, torch.nn.Linear(2, 2))
    move_average(average, torch.nn.Linear(2, 2))
    assert average.steps == 2
