from .dagm import DAGMReader
from .layout import prepare, summarize
from .magnetic_tile import MagneticTileReader
from .neu_seg import NEUSegReader
from .reader import DatasetReader, PreparationError
from .source import open_source
from .synthetic import SyntheticReader, render

__all__ = [
    'DAGMReader',
    'DatasetReader',
    'MagneticTileReader',
    'NEUSegReader',
    'PreparationError',
    'SyntheticReader',
    'open_source',
    'prepare',
    'render',
    'summarize',
]
