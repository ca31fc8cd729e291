"""NaN and infinity: a step is passed over, or the training stops and says why."""

import json
import math
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import Runner
from mmseg.registry import MODELS, OPTIM_WRAPPERS
from PIL import Image

from simeps_mmseg.apis.test import test as score
from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.engine import NonFiniteHook
from simeps_mmseg.engine.finite import all_finite, bad_gradients, bad_terms
from simeps_mmseg.engine.hooks import non_finite
from simeps_mmseg.engine.safe_hooks import add_safe_hooks
from simeps_mmseg.utils import UserError
from simeps_mmseg.utils.valid_json import nulled, valid_json
from simeps_mmseg.utils.weights import check_finite
from simeps_mmseg.visualization.valid_json_backend import ValidJsonVisBackend
from tests.helpers import experiment, tiny_model


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_one_bad_element_is_found(bad):
    values = [torch.ones(3), torch.ones(2, 2)]
    assert all_finite(values)
    values[1][1, 0] = bad
    assert not all_finite(values)


def test_large_numbers_are_finite():
    assert all_finite([torch.full((9,), 3e38)])
    assert all_finite([])


def test_terms_and_parameters_are_named():
    losses = {'branch_0.loss_ce': torch.tensor(1.0), 'loss_similarity': torch.tensor(math.inf)}
    assert bad_terms(losses) == ['loss_similarity (inf)']
    model = torch.nn.Linear(2, 2)
    model.weight.grad, model.bias.grad = torch.ones(2, 2), torch.tensor([0.0, math.nan])
    assert bad_gradients(model) == ['bias']


class Poisoned:
    """A training whose loss, or input, is multiplied by a number at some steps."""

    def __init__(
        self, data_root, work_dir, factor=math.nan, steps=(2,), max_iters=4, inputs=False, changes=None, **hook
    ):
        # Runs of one name within one second would share a log, and with it the count of steps passed over.
        name = f'{work_dir.name}_{time.time_ns()}'
        cfg = experiment(data_root, work_dir, max_iters=max_iters, experiment_name=name)
        cfg.merge_from_dict(changes or {})
        cfg.default_hooks.checkpoint.interval = 1
        cfg.default_hooks.non_finite = dict(type='NonFiniteHook', **hook)
        add_safe_hooks(cfg)
        self.runner = Runner.from_cfg(cfg)
        branch = self.runner.model.branches[1]
        loss = branch.loss

        def poisoned(images, samples):
            now = self.runner.iter in steps
            losses = loss(images * factor if now and inputs else images, samples)
            if now:
                losses['decode.loss_ce'] = losses['decode.loss_ce'] * factor
            return losses

        branch.loss = poisoned

    def train(self):
        self.runner.train()
        return self


@pytest.mark.parametrize('factor', [math.nan, math.inf])
def test_the_training_stops_with_a_diagnosis(synthetic_root, tmp_path, factor):
    with pytest.raises(UserError) as raised:
        Poisoned(synthetic_root, tmp_path / 'run', factor, max_skips=0).train()
    text = str(raised.value)
    assert text.startswith('training stops at iteration 3, as a number is not finite: loss branch_1.decode.loss_ce (')
    assert '; branch 1 (' in text
    assert text.count('.png') == 6
    assert 'run/iter_2.pth' in text
    assert not (tmp_path / 'run/iter_3.pth').exists()


def test_a_checkpoint_from_which_no_step_was_finite_is_not_called_good(synthetic_root, tmp_path):
    with pytest.raises(UserError) as raised:
        Poisoned(synthetic_root, tmp_path / 'run', steps=(2, 3, 4), max_iters=6, max_in_a_row=2).train()
    good = tmp_path / 'run/iter_1.pth'  # the step from it, to iter_2, was the last
    assert f'Last good checkpoint: {good}; no step from iter_4.pth, iter_3.pth, iter_2.pth was finite' in str(
        raised.value
    )
    assert f'go on with --resume --cfg-options load_from={good}, with a lower rate' in str(raised.value)


def test_without_a_good_checkpoint_a_training_begins_anew(synthetic_root, tmp_path):
    with pytest.raises(UserError) as raised:
        Poisoned(synthetic_root, tmp_path / 'run', steps=(1, 2, 3), max_iters=6, max_in_a_row=2).train()
    assert 'Last good checkpoint: none, as no step from iter_3.pth, iter_2.pth, iter_1.pth was finite' in str(
        raised.value
    )
    assert 'then begin anew with a lower rate (optim_wrapper.optimizer.lr)' in str(raised.value)


def test_a_step_is_passed_over(synthetic_root, tmp_path):
    states = {}
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(2,), max_skips=1).train()
    for step in (2, 3, 4):
        states[step] = read_checkpoint(tmp_path / f'run/iter_{step}.pth')['state_dict']
    assert all(torch.equal(states[2][name], value) for name, value in states[3].items())  # batch norm's buffers too
    assert not all(torch.equal(states[3][name], value) for name, value in states[4].items())
    assert run.runner.message_hub.get_info('skipped_steps') == 1


def test_so_many_and_no_more(synthetic_root, tmp_path):
    with pytest.raises(UserError, match=r'iteration 3, .*\(1 passed over, 1 of them just before\)'):
        Poisoned(synthetic_root, tmp_path / 'run', steps=(1, 2), max_skips=1).train()
    with pytest.raises(UserError, match=r'iteration 3, .*\(1 passed over, 1 of them just before\)'):
        Poisoned(synthetic_root, tmp_path / 'row', steps=(1, 2), max_skips=9, max_in_a_row=1).train()


def test_a_gradient_alone_is_enough(synthetic_root, tmp_path):
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(), max_skips=0)
    weight = run.runner.model.branches[2].decode_head.conv_seg.weight
    weight.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(
        UserError, match=r'gradient of 1 parameters \(branches.2.decode_head.conv_seg.weight\).*; branch 2'
    ):
        run.train()


def test_behind_clipped_gradients_no_branch_is_named(synthetic_root, tmp_path):
    changes = {'optim_wrapper.clip_grad': dict(max_norm=1.0)}
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(), max_skips=0, changes=changes)
    run.runner.model.branches[2].decode_head.conv_seg.weight.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(UserError, match=r'clip_grad may have spread it, so branches are not named\) \(0 passed over'):
        run.train()


def test_losses_and_images_are_those_of_the_process_that_has_them(synthetic_root, tmp_path, monkeypatch):
    other = (['branch_0.decode.loss_ce (inf)'], ['/parts/other.png'])
    monkeypatch.setattr(non_finite, 'all_gather_object', lambda own: [([], own[1]), other])
    with pytest.raises(UserError) as raised:
        Poisoned(synthetic_root, tmp_path / 'run', max_skips=0).train()
    assert 'loss branch_0.decode.loss_ce (inf); branch 0 (' in str(raised.value)
    assert 'Images of the batch: /parts/other.png.' in str(raised.value)


@pytest.mark.parametrize('value', [-1, 1.5, True])
def test_other_numbers_are_refused(value):
    with pytest.raises(UserError, match=r'NonFiniteHook.max_skips must be an integer of 0 or more'):
        NonFiniteHook(max_skips=value)


def test_such_weights_are_neither_written_nor_read(synthetic_root, tmp_path):
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=())
    with torch.no_grad():
        run.runner.model.branches[0].decode_head.conv_seg.bias[0] = math.nan
    hook = next(hook for hook in run.runner.hooks if type(hook).__name__ == 'WholeCheckpointHook')
    state = dict(state_dict=run.runner.model.state_dict(), meta=dict(iter=7))
    with pytest.raises(UserError, match='iteration 7: the network has NaN or infinity in 1 of'):
        hook.before_save_checkpoint(run.runner, state)
    torch.save(state, tmp_path / 'bad.pth')
    with pytest.raises(UserError, match=r'bad.pth has NaN or infinity .*branches.0.decode_head.conv_seg.bias'):
        read_checkpoint(tmp_path / 'bad.pth')
    with pytest.raises(UserError, match='the checkpoint to load has NaN'):
        run.runner.load_checkpoint(str(tmp_path / 'bad.pth'))
    check_finite(dict(count=torch.tensor(3)), 'integers')


def test_the_scores_of_a_test_are_valid_json(synthetic_root, tmp_path):
    """Of a class that no mask shows and no prediction has there is none."""
    cfg = experiment(synthetic_root, tmp_path / 'run', semi=False, experiment_name='scores')
    for part in (cfg.model.backbone, cfg.model.decode_head):
        part.norm_cfg.type = 'BN'
    cfg.test_dataloader.dataset.data_prefix.img_path = cfg.test_dataloader.dataset.data_prefix.seg_map_path
    shutil.copytree(synthetic_root / 'synthetic/annotations', tmp_path / 'clean/annotations')
    shutil.copytree(synthetic_root / 'synthetic/splits', tmp_path / 'clean/splits')
    for file in (tmp_path / 'clean/annotations').rglob('*.png'):
        Image.new('L', (32, 32)).save(file)
    cfg.test_dataloader.dataset.data_root = str(tmp_path / 'clean')
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'weights.pth')
    scores = score(str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'), work_dir=str(tmp_path / 'run'))
    assert any(math.isnan(value) for value in scores.values())
    (file,) = (tmp_path / 'run').glob('*/*.json')
    assert None in json.loads(file.read_text(), parse_constant=pytest.fail).values()


def test_records_are_valid_json(tmp_path):
    record = {'a': math.nan, 'b': [np.float32(math.inf), np.int64(2)], 'c': dict(d=1.5)}
    assert json.loads(valid_json(record), parse_constant=pytest.fail) == {'a': None, 'b': [None, 2], 'c': {'d': 1.5}}
    assert nulled((1, math.nan)) == [1, None]
    backend = ValidJsonVisBackend(save_dir=str(tmp_path))
    backend.add_scalars({'loss': math.nan, 'mIoU': 3.0}, step=2)
    (line,) = Path(backend._scalar_save_file).read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail) == {'loss': None, 'mIoU': 3.0, 'step': 2}


TEACHER = dict(type='ExponentialMovingAverage', momentum=0.5, update_buffers=True)  # as in simEps-plus
TEACHERS = dict(model=tiny_model(teacher=TEACHER))


def weights_at(folder, step):
    return read_checkpoint(folder / f'iter_{step}.pth')['state_dict']


@pytest.mark.parametrize('steps_in_one', [1, 2])
def test_teachers_outlive_an_input_that_is_no_number(synthetic_root, tmp_path, steps_in_one):
    """Also where gradients are summed: there the next pass looks at batch norm before the step is passed over."""
    changes = {**TEACHERS, 'optim_wrapper.accumulative_counts': steps_in_one}
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(2,), max_iters=8, inputs=True, changes=changes).train()
    assert run.runner.message_hub.get_info('skipped_steps') == 1
    before, after, end = (weights_at(tmp_path / 'run', step) for step in (2, 2 + steps_in_one, 8))
    # Of two iterations whose gradients are summed the other one counts for batch norm.
    own = [name for name in before if name.startswith('branches.') and (steps_in_one == 1 or 'bn.' not in name)]
    assert all(torch.equal(before[name], after[name]) for name in own)
    assert not all(torch.equal(after[name], end[name]) for name in own)
    check_finite(end, 'the last checkpoint')


def test_where_gradients_are_summed_a_loss_is_looked_at_in_its_own_iteration(synthetic_root, tmp_path):
    changes = {'optim_wrapper.accumulative_counts': 2}
    with pytest.raises(UserError) as raised:
        Poisoned(synthetic_root, tmp_path / 'run', steps=(2,), changes=changes, max_skips=0).train()
    assert str(raised.value).startswith('training stops at iteration 3, as a number is not finite: loss branch_1.')
    assert str(raised.value).count('.png') == 6


def test_weights_that_overflow_stop_the_training_and_are_not_saved(synthetic_root, tmp_path):
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(), max_iters=9, max_in_a_row=2)
    step = run.runner.train_loop.run_iter

    def run_iter(batch):
        if run.runner.iter == 2:
            run.runner.model.branches[0].decode_head.conv_seg.weight.data[0, 0] = math.inf
        step(batch)

    run.runner.train_loop.run_iter = run_iter
    with pytest.raises(UserError, match=r'iteration 3: the network has NaN or infinity in 1 of .*conv_seg\.weight'):
        run.train()
    assert not (tmp_path / 'run/iter_3.pth').exists()
    assert (tmp_path / 'run/last_checkpoint').read_text().endswith('iter_2.pth')


def test_statistics_of_batch_norm_that_overflow_are_not_saved(synthetic_root, tmp_path):
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=())
    norm = next(module for module in run.runner.model.branches[0].modules() if hasattr(module, 'running_var'))
    norm.running_var[0] = math.inf
    with pytest.raises(UserError, match=r'iteration 1: the network has NaN or infinity in 1 of .*running_var'):
        run.train()
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_gradient_whose_square_overflows_is_none_that_adam_can_use(synthetic_root, tmp_path):
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(), max_skips=0)
    weight = run.runner.model.branches[2].decode_head.conv_seg.weight
    weight.register_hook(lambda gradient: torch.full_like(gradient, 1e20))
    with pytest.raises(UserError, match=r'gradient of 1 parameters \(branches.2.decode_head.conv_seg.weight\)'):
        run.train()


@OPTIM_WRAPPERS.register_module()
class ScaledOnCPU(OptimWrapper):
    """``AmpOptimWrapper`` with the scaler that PyTorch has for the CPU, in float32."""

    def __init__(self, **options):
        super().__init__(**options)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=2.0**8)
        self._scale_update_param = None

    backward, step = AmpOptimWrapper.backward, AmpOptimWrapper.step


@pytest.mark.parametrize('fused', [False, True])
def test_steps_that_a_scaler_always_passes_over_stop_the_training(synthetic_root, tmp_path, fused):
    """A fused optimiser is called all the same, and told to leave the weights alone."""
    changes = {'optim_wrapper.type': 'ScaledOnCPU', 'optim_wrapper.optimizer.fused': fused}
    run = Poisoned(synthetic_root, tmp_path / 'run', 1.0, (), 9, False, changes, scaler_patience=2)
    run.runner.model.branches[0].decode_head.conv_seg.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(UserError, match=r'training stops at iteration 3, .* no step for 3 updates'):
        run.train()
    assert run.runner.message_hub.get_info('skipped_steps', 0) == 0


@pytest.mark.parametrize('steps_in_one', [1, 2])
def test_a_loss_scaler_passes_over_the_step(synthetic_root, tmp_path, steps_in_one):
    changes = {**TEACHERS, 'optim_wrapper.type': 'ScaledOnCPU', 'optim_wrapper.accumulative_counts': steps_in_one}
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(2,), max_iters=8, inputs=True, changes=changes).train()
    assert run.runner.message_hub.get_info('skipped_steps') == 1
    before, after, end = (weights_at(tmp_path / 'run', step) for step in (2, 2 + steps_in_one, 8))
    trained = [name for name, _ in run.runner.model.named_parameters() if name.startswith('branches.')]
    assert all(torch.equal(before[name], after[name]) for name in trained)
    assert not all(torch.equal(after[name], end[name]) for name in trained)
    check_finite(end, 'the last checkpoint')


def test_iterations_that_sum_gradients_are_none_that_a_scaler_passes_over(synthetic_root, tmp_path):
    changes = {'optim_wrapper.type': 'ScaledOnCPU', 'optim_wrapper.accumulative_counts': 4}
    run = Poisoned(synthetic_root, tmp_path / 'run', steps=(), changes=changes, scaler_patience=1).train()
    assert run.runner.iter == 4
    run = Poisoned(synthetic_root, tmp_path / 'over', 1.0, (), 9, False, changes, scaler_patience=1)
    run.runner.model.branches[0].decode_head.conv_seg.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(UserError, match=r'training stops at iteration 8, .* no step for 2 updates'):
        run.train()
