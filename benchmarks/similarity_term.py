"""What the similarity loss weighs: its gradient beside that of the other terms over a training, and its value by batch size.

    python benchmarks/similarity_term.py gradients simeps/unet_synthetic_2pct.py --steps 0 10 40 200 --cfg-options ...
    python benchmarks/similarity_term.py values simeps/unet_synthetic_2pct.py --checkpoint work_dirs/.../iter_600.pth

``gradients`` trains the config and prints, at the given steps, the ramp, the norm of each term's gradient on branch 0 and how
often the branches agree: one JSON line a step. ``values`` prints the mean value over test images in batches of several sizes,
relative to 16 images, as released and with ``reference_batch=16``; without --checkpoint the networks are fresh.
"""

import argparse
import copy
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from torch import Tensor, nn

from simeps_mmseg.deploy import read_checkpoint
from simeps_mmseg.inference.loading import load_model
from simeps_mmseg.models.losses import similarity_consistency
from simeps_mmseg.models.losses.similarity_consistency import batch_factor
from simeps_mmseg.utils import UserError, report_user_errors
from simeps_mmseg.utils.configs import load_config

SIZES = (2, 4, 8, 16, 32, 64, 128)
REFERENCE = 16


class GradientNormHook(Hook):
    """Measures each term of the loss on a copy of the model, so that the training is what it would be.

    Args:
        steps: At which iterations.
    """

    priority = 'VERY_LOW'  # after the ramp was set

    def __init__(self, steps: Sequence[int]) -> None:
        self.steps = set(steps)
        self.lines: list[dict] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter in self.steps:
            model = copy.deepcopy(runner.model)
            with runner.optim_wrapper.optim_context(model):
                data = model.data_preprocessor(copy.deepcopy(data_batch), True)
                losses = model.loss(**data)
            agreement = model.last_step.predictions and float(_agreement(model.last_step.predictions))
            line = dict(step=runner.iter, ramp=round(model.rampup, 4), **gradient_norms(model.branches[0], losses))
            self.lines.append({**line, 'agreement': agreement or None})
            print(json.dumps(self.lines[-1]), flush=True)


def _agreement(predictions: Sequence[Tensor]) -> Tensor:
    stacked = torch.stack(list(predictions))
    return (stacked == stacked[0]).all(dim=0).float().mean()


def gradient_norms(branch: nn.Module, losses: dict[str, Tensor]) -> dict[str, float]:
    """Norm of the gradient on a branch of the labels' loss, of that on pseudo-labels, and of that on similarity maps."""
    parts: dict[str, Tensor | int] = defaultdict(int)
    for key, value in losses.items():
        if 'loss' in key:
            part = 'similarity' if 'similarity' in key else 'pseudo' if 'cross_pseudo' in key else 'labels'
            parts[part] = parts[part] + value
    parameters = [parameter for parameter in branch.parameters() if parameter.requires_grad]
    norms = {}
    for part, value in parts.items():
        grads = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        norms[part] = round(float(torch.stack([g.norm() for g in grads if g is not None]).norm()), 4)
    return norms


def measure_gradients(cfg: Config, steps: Sequence[int]) -> list[dict]:
    """Train as the config says; lines of :class:`GradientNormHook`."""
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        # It hangs itself into the model, and a copy of the model would hold the whole runner.
        cfg.get('default_hooks', {}).pop('non_finite', None)
        runner = Runner.from_cfg(cfg)
        hook = GradientNormHook(steps)
        runner.register_hook(hook)
        runner.train()
    return hook.lines


@torch.no_grad()
def measure_values(cfg: Config, checkpoint: str | None) -> Iterator[dict]:
    """Mean value of the similarity loss of the logits by batch size, relative to that of 16 images."""
    init_default_scope('mmseg')
    model = load_model(cfg, read_checkpoint(checkpoint)) if checkpoint else MODELS.build(cfg.model)
    model.eval()
    images = DATASETS.build(cfg.test_dataloader.dataset)
    if len(images) < REFERENCE:
        raise UserError(f'values are relative to those of {REFERENCE} images, the test set has {len(images)}')
    batch = [images[index] for index in range(min(len(images), max(SIZES)))]
    data = model.data_preprocessor(
        dict(inputs=[one['inputs'] for one in batch], data_samples=[one['data_samples'] for one in batch]), False
    )
    logits = [branch(data['inputs']) for branch in model.branches]
    values = {}
    for size in (size for size in SIZES if size <= len(batch)):
        chunks = zip(*(one.split(size) for one in logits))
        values[size] = float(torch.stack([similarity_consistency(c) for c in chunks if len(c[0]) == size]).mean())
    for size, value in values.items():
        relative = value / values[REFERENCE]
        yield dict(batch=size, released=round(relative, 3), referred=round(relative * batch_factor(size, REFERENCE), 3))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=('gradients', 'values'))
    parser.add_argument('config')
    parser.add_argument('--steps', nargs='+', type=int, default=[0, 10, 40, 100, 200, 400])
    parser.add_argument('--checkpoint')
    parser.add_argument('--cfg-options', nargs='+', default=[])
    args = parser.parse_args()

    def run() -> None:
        cfg = load_config(args.config, args.cfg_options)
        if args.what == 'gradients':
            measure_gradients(cfg, args.steps)
        else:
            for line in measure_values(cfg, args.checkpoint):
                print(json.dumps(line))

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
