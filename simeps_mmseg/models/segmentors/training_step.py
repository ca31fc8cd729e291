"""A training step on a batch of labelled and unlabelled images, one part of it after the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
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
        the parts' gradients in half precision where both passes share a weight). mmengine's wrappers for several processes
        have a step of their own, with that one pass.

        Returns:
            Scalars for the log. ``loss`` is the number 0 where the batch has nothing to learn from.
        """
        if type(optim_wrapper).update_params is not OptimWrapper.update_params:
            return super().train_step(data, optim_wrapper)
        with optim_wrapper.optim_context(self):
            batch = self.data_preprocessor(data, True)
        self.begin_step()
        logged: list[dict[str, Tensor]] = []
        with gradients_of_this_step(self.branches), self._one_step():
            parts = self.parts_to_learn(**batch)
            for images, samples in parts:
                with optim_wrapper.optim_context(self):
                    losses = self(images, samples, mode='loss')
                if not losses:  # of unlabelled images where all consistency is left out
                    continue
                loss, values = self.parse_losses(losses)
                optim_wrapper.backward(optim_wrapper.scale_loss(loss))
                optim_wrapper._inner_count -= 1  # of backward passes: parts are not batches
                logged.append({name: value.detach() for name, value in values.items()})
        optim_wrapper._inner_count += 1
        if optim_wrapper.should_update():
            optim_wrapper.step()
            optim_wrapper.zero_grad()
        total: Tensor | int = sum(values.pop('loss') for values in logged)
        return {'loss': total, **{name: value for values in logged for name, value in values.items()}}

    def parts_to_learn(self, inputs: Tensor, data_samples: SampleList) -> list[tuple[Tensor, SampleList]]:
        """The labelled images and, unless consistency is off, the unlabelled ones, each with its samples, as far as there are
        any.
        """
        labeled, unlabeled = split_by_label(data_samples)
        wanted = [labeled] if self.consistency_is_off else [labeled, unlabeled]
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
        """Move each teacher towards its branch. Before the first step, and while the consistency is off, it is its copy."""
        if self.training and self.teachers is not None and self.teachers_are_due:
            self.teachers.update(self.branches, restart=self.consistency_is_off)


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
