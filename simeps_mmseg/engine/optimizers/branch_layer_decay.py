"""Learning rates by depth, in each branch as in the network alone."""

from typing import Any

from mmseg.engine.optimizers import LayerDecayOptimizerConstructor, LearningRateDecayOptimizerConstructor
from mmseg.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


class _PerBranch:
    """MMSeg finds the depth of a parameter by its name, and looks at ``module.backbone``: hand it one branch at a time."""

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: Any) -> None:
        """Add the parameter groups of each branch; a segmentor without branches is taken as it is."""
        for branch in getattr(module, 'branches', [module]):
            super().add_params(params, branch, **kwargs)  # type: ignore[misc]  # that of the class beside it


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class BranchLearningRateDecayOptimizerConstructor(_PerBranch, LearningRateDecayOptimizerConstructor):
    """``LearningRateDecayOptimizerConstructor`` for segmentors with branches."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class BranchLayerDecayOptimizerConstructor(_PerBranch, LayerDecayOptimizerConstructor):
    """``LayerDecayOptimizerConstructor`` for segmentors with branches."""
