from .dagm import DAGMDataset
from .defect import DefectDataset
from .labeled_unlabeled import LabeledUnlabeledDataset, UnequalConcatDataset
from .magnetic_tile import MagneticTileDataset
from .neu_seg import NEUSegDataset
from .samplers import LabeledUnlabeledSampler
from .synthetic import SyntheticDefectDataset
from .transforms import LoadImageAsUint8
from .unlabeled_folder import UnlabeledFolderDataset

__all__ = [
    'DAGMDataset',
    'DefectDataset',
    'LabeledUnlabeledDataset',
    'LabeledUnlabeledSampler',
    'LoadImageAsUint8',
    'MagneticTileDataset',
    'NEUSegDataset',
    'SyntheticDefectDataset',
    'UnequalConcatDataset',
    'UnlabeledFolderDataset',
]
