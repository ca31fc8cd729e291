"""Configs from elsewhere, such as inside a checkpoint: read, not run."""

import ast
from pathlib import Path

from mmengine.config import Config

from .errors import UserError
from .foreign_config import check_foreign


def read_literals(text: str, named: str, next_step: str) -> Config:
    """A config as mmengine dumps it: assignments of literals and of ``dict(...)``.

    Args:
        text: The config.
        named: Where it is from, for messages.
        next_step: What the user of the caller can do with a config that is refused, for messages.

    Raises:
        UserError: If there is anything else in it: calls, imports, types and modules of other packages than those of an
            MMSegmentation stack, ``torch.nn`` and ``torch.optim``; in its model what is no network, in its data sets what is
            no segmentation data set or a step of its pipeline, pickled files and addresses.

    Example:
        >>> read_literals("a = dict(b=(1, -2.5), type='mmseg.FCNHead')", 'it', '').a.b
        (1, -2.5)
    """
    try:
        values = dict(_assignment(node) for node in ast.parse(text).body)
        check_foreign(values)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise UserError(
            f'the config in {named} is not read, as it is more than names with plain values ({error}): {next_step}'
        ) from error
    return Config(values)


def read_literals_of(file: Path, next_step: str) -> Config:
    """:func:`read_literals` of a file."""
    try:
        return read_literals(file.read_text(encoding='utf-8'), str(file), next_step)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'config {file} cannot be read: {error}') from error


def _assignment(node: ast.stmt) -> tuple[str, object]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if not name.startswith('_'):
            return name, _value(value)
    raise ValueError(f'line {node.lineno}: {ast.unparse(node)[:60]}')


def _value(node: ast.expr) -> object:
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords) if all(key.arg for key in keywords):
            return {key.arg: _value(key.value) for key in keywords}
        case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as inner], keywords=[]):  # of names that are no words
            return _value(inner)
        case ast.Call(
            func=ast.Name(id='float'), args=[ast.Constant(value='nan' | 'inf' | '-inf' as text)], keywords=[]
        ):
            return float(text)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key): _value(value) for key, value in zip(keys, values) if key is not None}
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.UnaryOp() | ast.Constant() | ast.BinOp():  # numbers with a sign, text, True, None
            return ast.literal_eval(node)
    raise ValueError(f'line {node.lineno}: {ast.unparse(node)[:60]}')
