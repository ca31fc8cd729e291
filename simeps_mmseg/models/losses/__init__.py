from .cross_pseudo import CrossPseudoLoss, cross_pseudo_loss, ensemble_pseudo_labels, sigmoid_rampup
from .similarity_consistency import SimilarityConsistencyLoss, similarity_consistency, similarity_map
from .soft_dice import SoftDiceLoss, soft_dice_loss

__all__ = [
    'CrossPseudoLoss',
    'SimilarityConsistencyLoss',
    'SoftDiceLoss',
    'cross_pseudo_loss',
    'ensemble_pseudo_labels',
    'sigmoid_rampup',
    'similarity_consistency',
    'similarity_map',
    'soft_dice_loss',
]
