"""What classes of data sets take where a config is silent."""

import inspect


def default_argument(kind: type | None, argument: str) -> object:
    """Default of a constructor's argument, from the first class in line that states it; None where none does."""
    for found in inspect.getmro(kind or object):
        constructor = vars(found).get('__init__')
        parameter = inspect.signature(constructor).parameters.get(argument) if constructor else None
        if parameter is not None and parameter.default is not inspect.Parameter.empty:
            return parameter.default
    return None
