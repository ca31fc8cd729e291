"""Values as the text of a config."""


class Expression(str):
    """Python that stands in a config as it is, such as ``_base_.model``."""


def code(value: object, indent: int = 0) -> str:
    """A value as the configs write it: dicts by keyword, one line where it fits.

    Example:
        >>> code(dict(branch=Expression('_base_.model'), stages=('logits',)))
        "dict(branch=_base_.model, stages=('logits',))"
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, dict):
        keyword = all(isinstance(key, str) and key.isidentifier() for key in value)
        parts = [
            f'{key}={code(v, indent + 4)}' if keyword else f'{key!r}: {code(v, indent + 4)}' for key, v in value.items()
        ]
        opening, closing = ('dict(', ')') if keyword else ('{', '}')
    elif isinstance(value, (list, tuple)):
        parts = [code(v, indent + 4) for v in value]
        opening, closing = ('[', ']') if isinstance(value, list) else ('(', ',)' if len(value) == 1 else ')')
    else:
        return repr(value)
    line = f'{opening}{", ".join(parts)}{closing}'
    if len(line) + indent <= 100 and '\n' not in line:
        return line
    pad = ' ' * (indent + 4)
    return '\n'.join([opening, *(f'{pad}{part},' for part in parts), ' ' * indent + closing.lstrip(',')])
