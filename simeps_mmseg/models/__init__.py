from .losses import CrossPseudoLoss, SimilarityConsistencyLoss, SoftDiceLoss
from .segmentors import MultiBranchSemiSegmentor, TriBranchSemiSegmentor

__all__ = [
    'CrossPseudoLoss',
    'MultiBranchSemiSegmentor',
    'SimilarityConsistencyLoss',
    'SoftDiceLoss',
    'TriBranchSemiSegmentor',
]
