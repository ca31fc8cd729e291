from .dagm import DAGMReader
from .magnetic_tile import MagneticTileReader
from .neu_seg import NEUSegReader
from .prepare import prepare, summarize
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
