from .bfloat16 import BFloat16OptimWrapper
from .branch_layer_decay import BranchLayerDecayOptimizerConstructor, BranchLearningRateDecayOptimizerConstructor

__all__ = [
    'BFloat16OptimWrapper',
    'BranchLayerDecayOptimizerConstructor',
    'BranchLearningRateDecayOptimizerConstructor',
]
