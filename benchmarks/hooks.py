"""Hooks of a benchmark run: stop in time, count what the networks see, write down what happened when."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MessageHub
from mmengine.runner import Runner
from torch import Tensor, nn

from benchmarks.results import kept
from simeps_mmseg.utils import UserError

RECORD = 'benchmark'  # key of the run's record in the message hub, and so in its checkpoints


class DeadlineHook(Hook):
    """End training after the step in which the time is over, with a checkpoint of that step.

    Args:
        end: By the clock. None: never.
        clock: What tells the time, in seconds.
    """

    priority = 'LOW'  # before CheckpointHook, which is to save this very step

    def __init__(self, end: float | None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.deadline = end

    @property
    def over(self) -> bool:
        return self.deadline is not None and self.clock() >= self.deadline

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if not self.over:
            return
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook):
                hook.interval = 1
        runner.train_loop.stop_training = True


class RecordHook(Hook):
    """Keeps in the checkpoints what the line of a run says of its course: images, time, slices, scores and pseudo-labels at
    each validation.

    Args:
        config_hash: Of the experiment; a checkpoint of another one is not continued.
        images: What counts them.
    """

    priority = (
        95  # after CheckpointHook, which has to know its folder before a validation; before LabelsOnlyGuardHook has one
    )

    def __init__(self, config_hash: str, images: 'ImageCountHook') -> None:
        self.config_hash = config_hash
        self.images = images
        self.record: dict = {}
        self._before = 0.0
        self._start = time.monotonic()

    def before_train(self, runner: Runner) -> None:
        empty = dict(config_hash=self.config_hash, seconds=0.0, slices=0, images={}, validations={})
        self.record = runner.message_hub.runtime_info.get(RECORD) or empty
        if self.record['config_hash'] != self.config_hash:
            raise UserError(
                f'{runner.work_dir} holds a run of config {self.record["config_hash"]}, which is now {self.config_hash}: '
                'the code or the options changed since. Remove the folder (and its file in --state) to start it anew'
            )
        self.record['slices'] += 1
        self._before, self._start = self.record['seconds'], time.monotonic()
        self.images.totals.update(self.record['images'])
        self._write(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        # Of the steps before this one: the checkpoint of this step is written before this hook's after_train_iter.
        self._write(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        self.record['validations'][str(runner.iter)] = kept(metrics or {})
        self.record.setdefault('pseudo_labels', {})[str(runner.iter)] = pseudo_to_labels(runner.message_hub)
        self._write(runner)

    def after_train(self, runner: Runner) -> None:
        self._write(runner)

    def _write(self, runner: Runner) -> None:
        self.record['seconds'] = self._before + time.monotonic() - self._start
        self.record['images'] = dict(self.images.totals)
        runner.message_hub.update_info(RECORD, self.record)


class ImageCountHook(Hook):
    """Counts the images that pass a backbone, of whichever network, in the training steps.

    ``totals`` has ``grad`` (passes that can be trained through), ``no_grad`` (those of teachers and pseudo-labels) and the
    ``steps`` they were counted in.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.totals: Counter = Counter()
        self._handles: list = []
        self._training = self._in_step = False

    def before_train(self, runner: Runner) -> None:
        backbones = list(backbones_of(runner.model))
        if not backbones:
            raise UserError('the model has no module called backbone, so the images per step cannot be counted')
        self._handles = [module.register_forward_hook(self._count) for module in backbones]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self._training = True

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self._training = False
        self.totals['steps'] += 1

    def before_val(self, runner: Runner) -> None:
        self._in_step, self._training = self._training, False  # LabelsOnlyGuardHook validates before a step

    def after_val(self, runner: Runner) -> None:
        self._training = self._in_step

    def after_train(self, runner: Runner) -> None:
        for handle in self._handles:
            handle.remove()

    def _count(self, module: nn.Module, inputs: tuple, output: Any) -> None:
        if self._training:
            trained = any(tensor.requires_grad for tensor in tensors_of(output))
            self.totals['grad' if trained else 'no_grad'] += len(inputs[0])


def pseudo_to_labels(hub: MessageHub) -> dict[str, float]:
    """Of each class, its share of the pseudo-labels over its share of the labels, as ``SemiSupervisedHook`` logged them last.

    0: the class has vanished from the pseudo-labels; empty for methods without any. Classes that the labels did not show are
    left out.
    """
    last = {key: buffer.current() for key, buffer in hub.log_scalars.items() if buffer.data[0].size}
    pseudo, labels = 'train/pseudo_share.', 'train/label_share.'
    names = [key.removeprefix(pseudo) for key in last if key.startswith(pseudo)]
    return {
        name: round(float(last[pseudo + name] / last[labels + name]), 3) for name in names if last.get(labels + name)
    }


def backbones_of(model: nn.Module) -> Iterator[nn.Module]:
    """The modules that are some network's ``backbone``."""
    for name, module in model.named_modules():
        if name.split('.')[-1] == 'backbone':
            yield module


def tensors_of(output: Any) -> Iterator[Tensor]:
    """The tensors in what a network returned."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, dict):
        yield from tensors_of(list(output.values()))
    elif isinstance(output, (list, tuple)):
        for one in output:
            yield from tensors_of(one)


def per_step(totals: dict) -> dict:
    """Images per step, from the totals of :class:`ImageCountHook`."""
    steps = max(1, totals.get('steps', 0))
    means = {key: round(totals.get(key, 0) / steps, 2) for key in ('grad', 'no_grad')}
    return {key: int(value) if value == int(value) else value for key, value in means.items()}
