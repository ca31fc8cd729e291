from .confident_pseudo import ConfidentPseudoLoss
from .cross_pseudo import CrossPseudoLoss, cross_pseudo_loss, ensemble_pseudo_labels
from .pseudo_label import PseudoLabel, confident_labels, pixel_cross_entropy
from .similarity_consistency import SimilarityConsistencyLoss, similarity_consistency, similarity_map
from .soft_dice import SoftDiceLoss, soft_dice_loss
from .softmax_mse import SoftmaxMSELoss, softmax_mse
from .uncertainty_mixed import UncertaintyMixedLoss, mixed_pseudo_labels, uncertainty

__all__ = [
    'ConfidentPseudoLoss',
    'CrossPseudoLoss',
    'PseudoLabel',
    'SimilarityConsistencyLoss',
    'SoftDiceLoss',
    'SoftmaxMSELoss',
    'UncertaintyMixedLoss',
    'confident_labels',
    'cross_pseudo_loss',
    'ensemble_pseudo_labels',
    'mixed_pseudo_labels',
    'pixel_cross_entropy',
    'similarity_consistency',
    'similarity_map',
    'soft_dice_loss',
    'softmax_mse',
    'uncertainty',
]
