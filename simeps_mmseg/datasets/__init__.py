from .dagm import DAGMDataset
from .defect import DefectDataset
from .magnetic_tile import MagneticTileDataset
from .neu_seg import NEUSegDataset
from .samplers import LabeledUnlabeledSampler
from .synthetic import SyntheticDefectDataset

__all__ = [
    'DAGMDataset',
    'DefectDataset',
    'LabeledUnlabeledSampler',
    'MagneticTileDataset',
    'NEUSegDataset',
    'SyntheticDefectDataset',
]
