"""Data parallelism in which each process goes backward after each part of its batch."""

import warnings
from typing import Any

from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import Tensor

from ..segmentors.training_step import TrainingStep, updated, updates_in_its_own_way


@MODEL_WRAPPERS.register_module()  # of mmengine: its runner does not look into others
class ByPartsDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper with the training step of :class:`TrainingStep`: the activations of one part are kept at a time.

    Gradients are summed over the processes once a step, in the backward pass of its last part, as with gradient accumulation.
    Auxiliary heads learn from labelled images only, so that pass does not reach all weights: ``find_unused_parameters`` is
    always on. It also keeps the order of the gradients, so that a resume is exact with any number of processes.

    Args:
        module: The segmentor.
        **kwargs: Those of ``MMDistributedDataParallel``.

    Raises:
        TypeError: If the segmentor has no such step.
    """

    def __init__(self, module: TrainingStep, **kwargs: Any) -> None:
        if not isinstance(module, TrainingStep):
            raise TypeError(f'{type(module).__name__} has no step by parts; use MMDistributedDataParallel')
        # Said of networks that have no auxiliary head; whether it was needed is not known before.
        warnings.filterwarnings('ignore', 'find_unused_parameters=True was specified', UserWarning)
        super().__init__(module=module, **{**kwargs, 'find_unused_parameters': True})

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict[str, Tensor | int]:
        """See :meth:`TrainingStep.train_step`."""
        if updates_in_its_own_way(optim_wrapper):
            return super().train_step(data, optim_wrapper)
        return updated(optim_wrapper, self.module.backward_by_parts(data, optim_wrapper, self))
