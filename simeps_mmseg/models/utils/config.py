"""Questions to and changes of model configs."""

from collections.abc import Iterator
from typing import Any


def walk_dicts(node: Any, path: str = '') -> Iterator[tuple[str, dict]]:
    """Every dict inside a config, with its dotted key, outermost first."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from walk_dicts(value, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from walk_dicts(value, f'{path}.{index}')


def replace_sync_bn(model: dict) -> list[str]:
    """Turn every ``SyncBN`` layer of a model config into ``BN``, in place: in one process both compute the same.

    Returns:
        The dotted keys that were changed.
    """
    changed = []
    for path, node in walk_dicts(model):
        if node.get('type') == 'SyncBN':
            node['type'] = 'BN'
            changed.append(path)
    return changed
