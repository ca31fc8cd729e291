"""Values as the text of a config."""

from yapf.yapflib.yapf_api import FormatCode  # what mmengine prints configs with

# Packed, as MMSegmentation's own configs are.
STYLE = dict(based_on_style='pep8', column_limit=120, split_before_named_assigns=False)


class Expression(str):
    """Python that stands in a config as it is, such as ``_base_.model``."""

    __repr__ = str.__str__


def code(value: object) -> str:
    """A value as the configs write it, on one line: dicts by keyword where their keys are names.

    Example:
        >>> code(dict(branch=Expression('_base_.model'), stages=('logits',)))
        "dict(branch=_base_.model, stages=('logits',))"
    """
    if isinstance(value, dict) and all(str(key).isidentifier() for key in value):
        return f'dict({_keywords(value)})'
    if isinstance(value, list):
        return f'[{", ".join(map(code, value))}]'
    return repr(value)


def changed(reference: str, changes: dict[str, object]) -> Expression:
    """A dict that is referred to, with other values of some keys.

    Example:
        >>> changed('_base_.val_evaluator', dict(type='DefectIoUMetric'))
        dict(_base_.val_evaluator, type='DefectIoUMetric')
    """
    return Expression(f'dict({reference}, {_keywords(changes)})')


def config_text(statements: dict[str, object]) -> str:
    """A config that assigns each value to its name."""
    lines = [f'{name} = {code(value)}\n' for name, value in statements.items()]
    return FormatCode(''.join(lines), style_config=STYLE)[0]


def _keywords(values: dict[str, object]) -> str:
    return ', '.join(f'{key}={code(value)}' for key, value in values.items())
