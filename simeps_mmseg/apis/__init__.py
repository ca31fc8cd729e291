"""What can be done with the package from Python; ``tools/`` and ``simeps`` call the same functions.

Each name here is the function, also where the module that defines it is called the same.
"""

from .check_dataset import check_dataset
from .compare_predictions import compare_predictions
from .demo import run_demo
from .export import export
from .make_semi import make_semi
from .plot_log import plot_log
from .predict import predict
from .prepare_data import prepare_data
from .rank_unlabeled import rank_unlabeled
from .report import report
from .test import test
from .train import train
from .visualize_similarity import visualize_similarity, visualize_similarity_log

__all__ = [
    'check_dataset',
    'compare_predictions',
    'export',
    'make_semi',
    'plot_log',
    'predict',
    'prepare_data',
    'rank_unlabeled',
    'report',
    'run_demo',
    'test',
    'train',
    'visualize_similarity',
    'visualize_similarity_log',
]
