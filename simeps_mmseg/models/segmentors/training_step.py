"""A training step on a batch of labelled and unlabelled images, one part of it after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmseg.models import BaseSegmentor
from mmseg.utils import SampleList
from torch import Tensor

from ..utils import gradients_of_this_step
from .consistency_weights import ConsistencyWeights
from .step_record import StepRecord


class TrainingStep(ConsistencyWeights, BaseSegmentor):
    """A segmentor that goes through a batch part by part: labelled images forward and backward, then unlabelled ones.

    Networks, teachers and losses are those of :class:`BaseSemiSegmentor`.

    Attributes:
        last_step: Label maps of the last step; None before the first one.
        teachers_are_due: Whether the teachers move before the next step.
    """

    last_step: StepRecord | None = None
    teachers_are_due = True
    _in_step = False

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict[str, Tensor | int]:
        """A step in which the backward pass of each part of the batch follows its forward pass, and frees its activations.

        The gradients are, bit for bit, those of one backward pass of all losses (under autocast up to rounding, as it sums
        the parts' gradients in half precision where both passes share a weight).

        Returns:
            Scalars for the log. ``loss`` is the number 0 where the batch has nothing to learn from.
        """
        if updates_in_its_own_way(optim_wrapper):
            return super().train_step(data, optim_wrapper)
        with gradients_of_this_step(self.branches):
            logged = self.backward_by_parts(data, optim_wrapper)
        return finish_step(optim_wrapper, logged)

    def backward_by_parts(
        self, data: dict, optim_wrapper: OptimWrapper, wrapper: MMDistributedDataParallel | None = None
    ) -> list[dict[str, Tensor]]:
        """Forward and backward pass of each part of a batch; values for the log, of each part.

        Args:
            data: The batch, as a loader has it.
            optim_wrapper: Scales the losses.
            wrapper: What is around this segmentor in several processes. It adds the gradients up over them once, in the
                backward pass of the last part.
        """
        network = self if wrapper is None else wrapper
        with optim_wrapper.optim_context(network):
            batch = self.data_preprocessor(data, True)
        self.begin_step()
        parts = self.parts_to_learn(**batch)
        logged: list[dict[str, Tensor]] = []
        with self._one_step():
            for index, (images, samples) in enumerate(parts, 1):
                without_sync = wrapper.no_sync() if wrapper is not None and index < len(parts) else nullcontext()
                with optim_wrapper.optim_context(network), without_sync:
                    losses = network(images, samples, mode='loss')
                loss, values = self.parse_losses(losses)
                optim_wrapper.backward(optim_wrapper.scale_loss(loss))
                optim_wrapper._inner_count -= 1  # of backward passes: parts are not batches
                logged.append({name: value.detach() for name, value in values.items()})
        optim_wrapper._inner_count += 1
        return logged

    def parts_to_learn(self, inputs: Tensor, data_samples: SampleList) -> list[tuple[Tensor, SampleList]]:
        """The labelled images and, unless consistency is off or the method has none, the unlabelled ones, each with its
        samples, as far as there are any.
        """
        labeled, unlabeled = split_by_label(data_samples)
        wanted = [labeled] if self.consistency_is_off or not self.has_consistency else [labeled, unlabeled]
        return [chosen(inputs, data_samples, indices) for indices in wanted if indices]

    def begin_step(self) -> None:
        """Move the teachers; forget the last step."""
        self.update_teachers()
        self.last_step = StepRecord(None, [], [], self.ignore_index)

    @property
    def step_record(self) -> StepRecord:
        """``last_step`` of the step that runs, for :meth:`labeled_losses` and :meth:`unlabeled_losses` to fill."""
        assert self.last_step is not None, 'begin_step() comes before the losses of a step'
        return self.last_step

    @contextmanager
    def _one_step(self) -> Iterator[None]:
        """Inside, several calls of :meth:`loss` belong to one step."""
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False

    def update_teachers(self) -> None:
        """Move each teacher towards its branch. In the first step, and while only labels are learned, it becomes its copy."""
        if self.training and self.teachers is not None and self.teachers_are_due:
            self.teachers.update(self.branches, restart=self.labels_alone)


def updates_in_its_own_way(optim_wrapper: OptimWrapper) -> bool:
    """Whether a wrapper of the optimiser has an ``update_params`` of its own, which one backward pass has to go through."""
    return type(optim_wrapper).update_params is not OptimWrapper.update_params


def finish_step(optim_wrapper: OptimWrapper, logged: Sequence[dict[str, Tensor]]) -> dict[str, Tensor | int]:
    """Change the weights, if it is time, after the backward passes of a batch; its values for the log, of all parts."""
    if optim_wrapper.should_update():
        optim_wrapper.step()
        optim_wrapper.zero_grad()
    total: Tensor | int = sum(values.pop('loss') for values in logged)
    return {'loss': total, **{name: value for values in logged for name, value in values.items()}}


def split_by_label(data_samples: SampleList) -> tuple[list[int], list[int]]:
    """Indices of the samples with ``gt_sem_seg``, and of those without."""
    labeled = [i for i, sample in enumerate(data_samples) if 'gt_sem_seg' in sample]
    unlabeled = [i for i, sample in enumerate(data_samples) if 'gt_sem_seg' not in sample]
    return labeled, unlabeled


def chosen(inputs: Tensor, data_samples: SampleList, indices: Sequence[int]) -> tuple[Tensor, SampleList]:
    """Images and samples at some ascending indices, the images as a view where they stand together.

    (To index a tensor by a list would copy the list to the device, and wait.)
    """
    first, last = indices[0], indices[-1]
    together = last - first + 1 == len(indices)
    images = inputs[first : last + 1] if together else torch.stack([inputs[i] for i in indices])
    return images, [data_samples[i] for i in indices]
