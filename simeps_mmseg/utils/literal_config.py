"""Configs from elsewhere, such as inside a checkpoint: read, not run."""

import ast
import re
from importlib.util import find_spec
from inspect import isclass
from pathlib import Path

from mmengine.config import Config
from mmengine.utils import get_object_from_string

from .config_tree import walk_values
from .errors import UserError

# Packages whose import, and whose classes with plain values as arguments, do nothing to files but what they are there for.
TRUSTED = ('mmcls', 'mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg', 'simeps_mmseg')
# Of torch only networks and optimisers: torch.PyTorchFileWriter, for one, is a class that overwrites the file it is given.
TRUSTED_CLASS = re.compile(rf'({"|".join(TRUSTED)}|torch\.nn|torch\.optim)(\.\w+)*\.[A-Z]\w*')


def read_literals(text: str, named: str, next_step: str) -> Config:
    """A config as mmengine dumps it: assignments of literals and of ``dict(...)``.

    Args:
        text: The config.
        named: Where it is from, for messages.
        next_step: What the user of the caller can do with a config that is refused, for messages.

    Raises:
        UserError: If there is anything else in it: calls, imports, types and modules of other packages than those of an
            MMSegmentation stack, ``torch.nn`` and ``torch.optim``.

    Example:
        >>> read_literals("a = dict(b=(1, -2.5), type='mmseg.FCNHead')", 'it', '').a.b
        (1, -2.5)
    """
    try:
        values = dict(_assignment(node) for node in ast.parse(text).body)
        _check_trusted(values)
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


def _check_trusted(values: dict) -> None:
    for key, _, value in walk_values(values):
        if isinstance(value, dict | list | tuple):
            continue  # what is inside comes by itself
        name = key.split('.')[-1]
        if name == 'type' and isinstance(value, str) and not _is_trusted_type(value):
            raise ValueError(f'{key}={value!r}, code of another package')
        if name in ('default_scope', '_scope_') and value is not None and value not in TRUSTED:
            raise ValueError(f'{key}={value!r}, a package that would be imported')
        if name == 'class_weight' and isinstance(value, str):
            raise ValueError(f'{key}={value!r}, a file')
    imports = (values.get('custom_imports') or {}).get('imports', [])
    for module in [imports] if isinstance(imports, str) else imports:
        if str(module).split('.')[0] not in TRUSTED:
            raise ValueError(f'custom_imports={module!r}, a module that would be imported')


def _is_trusted_type(name: str) -> bool:
    """Whether a registry that does not know the name would import and call nothing foreign for it."""
    if '.' not in name:
        return find_spec(name) is None
    if not TRUSTED_CLASS.fullmatch(name):
        return False
    try:
        found = get_object_from_string(name)  # as a registry does
    except Exception as error:  # of a package that does not fit the installed ones
        raise ValueError(f'{name} cannot be imported: {error}') from error
    if found is None:  # a scope and a registered name
        return True
    # A trusted module also holds classes that it has imported from elsewhere.
    return isclass(found) and bool(TRUSTED_CLASS.fullmatch(f'{found.__module__}.{found.__qualname__}'))
