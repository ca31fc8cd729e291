from .bfloat16 import BFloat16OptimWrapper, bfloat16_is_fast
from .branch_layer_decay import BranchLayerDecayOptimizerConstructor, BranchLearningRateDecayOptimizerConstructor

__all__ = [
    'BFloat16OptimWrapper',
    'BranchLayerDecayOptimizerConstructor',
    'BranchLearningRateDecayOptimizerConstructor',
    'bfloat16_is_fast',
]
