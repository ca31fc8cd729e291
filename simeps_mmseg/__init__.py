"""Semi-supervised semantic segmentation for MMSegmentation, made for surface defects.

Importing the package registers its components in the registries of ``mmseg``.
"""

from . import compat, safe_loading

compat.apply()
safe_loading.apply()

from . import datasets, engine, evaluation, models, visualization  # noqa: E402

__version__ = '0.1.0'

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'visualization']
