"""Errors of a registry or a constructor, told by the keys of the config that they speak of."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config

from .config_tree import walk_values
from .errors import UserError

UNKNOWN_ARGUMENT = re.compile(r"__init__\(\) got an unexpected keyword argument '(?P<key>\w+)'")

UNKNOWN_TYPE = re.compile(r'(?P<type>\S+) is not in the \S+ registry')


@contextmanager
def config_keys_named(cfg: Config) -> Iterator[None]:
    """Turn what is raised while a config is built, of a ``type`` or an argument that is not there, into an error that names
    its keys.

    Raises:
        UserError: In place of the ``TypeError`` or ``KeyError``, where the config has what it speaks of.
    """
    try:
        yield
    except (TypeError, KeyError) as error:
        message = str(error.args[0]) if error.args else ''
        found = keys_of(cfg._cfg_dict, message)
        if not found:
            raise
        raise UserError(f'the config cannot be built: {" or ".join(found)}: {message.split(". ")[0]}') from error


def keys_of(node: object, message: str) -> list[str]:
    """The dotted keys that an error message of a registry or a constructor speaks of.

    Example:
        >>> cfg = dict(model=dict(type='FCM', dept=3))
        >>> keys_of(cfg, 'FCM is not in the mmseg::model registry. Please check')
        ['model.type']
        >>> keys_of(cfg, "FCN.__init__() got an unexpected keyword argument 'dept'")
        ['model.dept']
    """
    argument, kind = UNKNOWN_ARGUMENT.search(message), UNKNOWN_TYPE.search(message)
    if argument:
        return [path for path, name, _ in walk_values(node) if name == argument['key']]
    if kind:
        return [path for path, name, value in walk_values(node) if (name, value) == ('type', kind['type'])]
    return []
