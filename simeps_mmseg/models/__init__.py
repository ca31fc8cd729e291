from .backbones import DropoutUNet
from .decode_heads import ConvSegHead
from .losses import (
    ConfidentPseudoLoss,
    CrossPseudoLoss,
    SimilarityConsistencyLoss,
    SoftDiceLoss,
    SoftmaxMSELoss,
    UncertaintyMixedLoss,
)
from .segmentors import (
    FixMatchSegmentor,
    MeanTeacherSegmentor,
    MultiBranchSemiSegmentor,
    TriBranchSemiSegmentor,
    UniMatchSegmentor,
)
from .views import CutMix, RandomView
from .wrappers import ByPartsDistributedDataParallel

__all__ = [
    'ByPartsDistributedDataParallel',
    'ConfidentPseudoLoss',
    'ConvSegHead',
    'CrossPseudoLoss',
    'CutMix',
    'DropoutUNet',
    'FixMatchSegmentor',
    'MeanTeacherSegmentor',
    'MultiBranchSemiSegmentor',
    'RandomView',
    'SimilarityConsistencyLoss',
    'SoftDiceLoss',
    'SoftmaxMSELoss',
    'TriBranchSemiSegmentor',
    'UncertaintyMixedLoss',
    'UniMatchSegmentor',
]
