"""On a GPU: one step of each method, the guard and an export. ``pytest -m gpu``; skipped where there is none.

``SIMEPS_TEST_DEVICE=cpu`` runs them on the CPU, to see that the tests themselves are right.
"""

import json
import os
import time

import pytest
import torch
from mmengine.runner import Runner
from mmseg.apis import init_model

from benchmarks.gpu_losses import TOLERANCE, largest_difference, losses_of
from benchmarks.steps import PRECISIONS, Case, make_step
from simeps_mmseg.apis.export import export
from simeps_mmseg.models.losses import similarity_map
from tests.conftest import ROOT
from tests.helpers import experiment

DEVICE = os.environ.get('SIMEPS_TEST_DEVICE', 'cuda')
METHODS = sorted({path.parent.name for path in ROOT.glob('configs/*/unet_neu_10pct.py')} - {'simeps_plus_mixed'})
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == 'cuda' and not torch.cuda.is_available(), reason='needs a GPU'),
]


@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('method', METHODS)
def test_one_step_trains_every_branch(method, precision):
    model, step = make_step(Case('unet', 32, 2, method, precision), DEVICE)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    losses = step()
    assert all(torch.isfinite(value) for value in losses.values()), losses
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all(parameter.device.type == DEVICE for parameter in model.parameters())
    still = [name for name in trained if torch.equal(before[name], dict(model.named_parameters())[name])]
    assert len(still) < 0.05 * len(trained), still  # a bias before batch norm has no gradient


@pytest.mark.parametrize('method', ['supervised', 'simeps'])
def test_losses_are_those_of_the_cpu(method, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    expected = losses_of(method, 'cpu', 32, 2, 3, torch.contiguous_format)
    found = losses_of(method, DEVICE, 32, 2, 3, torch.channels_last)
    assert largest_difference(expected, found) < TOLERANCE
    assert expected[0] != expected[2]


def test_the_similarity_map_of_large_half_precision_logits_is_finite():
    """In float16 their Gram matrix would overflow."""
    logits = 30 * torch.randn(4, 4, 256, 256, device=DEVICE).half()
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        found = similarity_map(logits)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4, device=DEVICE))


def runner_of(root, folder, semi=True, **changes):
    """A short training with a validation every second step."""
    cfg = experiment(root, folder, semi=semi, max_iters=4, **changes)
    cfg.experiment_name = cfg.visualizer.name = f'{folder.name}_{time.time_ns()}'
    cfg.train_cfg.val_interval = 2
    return Runner.from_cfg(cfg)


def test_the_guard_takes_weights_and_optimiser_back(synthetic_root, tmp_path):
    """A validation that says that all is lost, after one from a network on labels and one that was good."""
    runner_of(synthetic_root, tmp_path / 'plain', semi=False).train()
    hooks = [dict(type='SemiSupervisedHook', rampup_share=0.5, health_interval=0), dict(type='LabelsOnlyGuardHook')]
    plain = str(tmp_path / 'plain/iter_4.pth')
    runner = runner_of(synthetic_root, tmp_path / 'run', custom_hooks=hooks, load_from=plain)
    said = iter([60.0, 61.0, 2.0])
    weights = {}

    def evaluate(size):
        score = next(said)
        weights[score] = {key: value.clone() for key, value in runner.model.branches.state_dict().items()}
        return {'mIoU_fg': score, 'IoU.pit': score}

    runner.val_loop.evaluator.evaluate = evaluate
    runner.train()
    assert all(value.device.type == DEVICE for value in weights[61.0].values())
    assert all(torch.equal(weights[61.0][key], value) for key, value in runner.model.branches.state_dict().items())
    assert json.loads((tmp_path / 'run/labels_only.json').read_text())['stepped_back'] == 1
    assert not runner.optim_wrapper.optimizer.state  # Adam begins anew


@pytest.mark.parametrize('suffix', ['pth', 'pt'])
def test_what_was_trained_here_is_exported_and_computes_the_same(suffix, synthetic_root, tmp_path):
    """``export`` compares the file with the model, on images, before it gets its name."""
    runner_of(synthetic_root, tmp_path / 'run').train()
    out = export(str(tmp_path / 'run/iter_4.pth'), branch='1', out=str(tmp_path / f'branch.{suffix}'))
    assert out.is_file()
    if suffix == 'pth':
        model = init_model(str(out.with_suffix('.py')), str(out), device=DEVICE)
        assert next(model.parameters()).device.type == DEVICE
