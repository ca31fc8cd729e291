"""The class of a data set's config, and what it takes where the config is silent."""

import inspect

from mmseg.registry import DATASETS


def class_of(config: dict) -> type | None:
    """The class of a data set config; None where it is not registered."""
    kind = config.get('type')
    return kind if isinstance(kind, type) else DATASETS.get(str(kind))


def default_argument(kind: type | None, argument: str) -> object:
    """Default of a constructor's argument, from the first class in line that states it; None where none does."""
    for found in inspect.getmro(kind or object):
        constructor = vars(found).get('__init__')
        parameter = inspect.signature(constructor).parameters.get(argument) if constructor else None
        if parameter is not None and parameter.default is not inspect.Parameter.empty:
            return parameter.default
    return None
