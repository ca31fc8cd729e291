"""Data parallelism in which each process goes backward after each part of its batch."""

from typing import Any

from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import Tensor

from ...utils import UserError
from ..segmentors.training_step import TrainingStep, finish_step, updates_in_its_own_way
from ..utils.gradient_checkpoints import reentrant, without_running_again


@MODEL_WRAPPERS.register_module()  # of mmengine: its runner does not look into others
class ByPartsDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper with the training step of :class:`TrainingStep`: the activations of one part are kept at a time.

    Gradients are summed over the processes once a step, in the backward pass of its last part, as with gradient accumulation.
    Auxiliary heads learn from labelled images only, so that pass does not reach all weights: ``find_unused_parameters`` is
    always on. It also keeps the order of the gradients, so that a resume is exact with any number of processes.

    All processes need a batch of as many parts, as ``LabeledUnlabeledSampler`` gives them.

    Args:
        module: The segmentor.
        **kwargs: Those of ``DistributedDataParallel``.

    Raises:
        UserError: If the segmentor has no such step, blocks of it run again in the backward pass (``with_cp``), or an option
            does not go with it.
    """

    def __init__(self, module: TrainingStep, **kwargs: Any) -> None:
        if not isinstance(module, TrainingStep):
            raise UserError(
                f'model_wrapper_cfg: {type(module).__name__} has no step by parts; use MMDistributedDataParallel'
            )
        if refused := [key for key, value in REFUSED.items() if kwargs.get(key, not value) == value]:
            raise UserError(
                f'model_wrapper_cfg: {refused[0]}={REFUSED[refused[0]]} does not go with a step by parts, whose last backward '
                'pass does not reach all weights; leave it out, or use MMDistributedDataParallel'
            )
        if again := reentrant(module):
            raise UserError(
                f'{again[0]} is on: blocks that run again in the backward pass do not go with several processes, as not every '
                f'pass reaches all weights; {without_running_again(module)}'
            )
        super().__init__(module=module, **{**kwargs, 'find_unused_parameters': True})

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict[str, Tensor | int]:
        """See :meth:`TrainingStep.train_step`."""
        if updates_in_its_own_way(optim_wrapper):
            return super().train_step(data, optim_wrapper)
        return finish_step(optim_wrapper, self.module.backward_by_parts(data, optim_wrapper, self))


REFUSED = dict(find_unused_parameters=False, static_graph=True, detect_anomalous_params=True)
