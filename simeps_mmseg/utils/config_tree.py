"""Walks through configs: nested dicts and lists, data sets inside wrappers, steps inside steps. Nothing is built."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

# Steps of a pipeline that are made of steps.
NESTING = ('RandomApply', 'RandomChoice', 'TransformBroadcaster')


def walk_values(node: Any, path: str = '') -> Iterator[tuple[str, str, Any]]:
    """Dotted key, last part of that key and value of everything inside nested dicts and lists, outermost first.

    Example:
        >>> list(walk_values(dict(hooks=[dict(type='A')])))
        [('hooks', 'hooks', [{'type': 'A'}]), ('hooks.0', '0', {'type': 'A'}), ('hooks.0.type', 'type', 'A')]
    """
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for name, value in items:
        key = f'{path}.{name}' if path else str(name)
        yield key, str(name), value
        yield from walk_values(value, key)


def walk_dicts(node: Any, path: str = '') -> Iterator[tuple[str, dict]]:
    """Dotted key and value of every dict inside a config, the config itself first where it is one."""
    if isinstance(node, dict):
        yield path, node
    yield from ((key, value) for key, _, value in walk_values(node, path) if isinstance(value, dict))


def leaf_values(node: Any, path: str, passed_over: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Dotted keys and values, as text, of what a config ends in; a list of plain values is one value, None is none.

    Args:
        node: A config or a part of one.
        path: Its own key.
        passed_over: Keys that are left out, with what is below them.

    Example:
        >>> list(leaf_values(dict(a=1, b=[dict(c='x', d=0), 2]), 'top', passed_over=['d']))
        [('top.a', '1'), ('top.b[0].c', "'x'"), ('top.b[1]', '2')]
    """
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in passed_over:
                yield from leaf_values(value, f'{path}.{key}', passed_over)
    elif isinstance(node, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in node):
        for index, item in enumerate(node):
            yield from leaf_values(item, f'{path}[{index}]', passed_over)
    elif node is not None:
        yield path, repr(list(node)) if isinstance(node, tuple) else repr(node)


def has_key(node: Any, names: Sequence[str]) -> bool:
    """Whether nested dicts and lists have something (be it None) under a path of names and indices."""
    if not names:
        return True
    name, *rest = names
    if isinstance(node, dict):
        return name in node and has_key(node[name], rest)
    return isinstance(node, list) and name.isdecimal() and int(name) < len(node) and has_key(node[int(name)], rest)


def is_wrapper(dataset: dict) -> bool:
    """Whether a data set config is of a wrapper such as ConcatDataset or RepeatDataset."""
    return 'datasets' in dataset or 'dataset' in dataset


def inner_configs(dataset: dict) -> list[dict]:
    """Configs of the data sets directly inside a wrapper, as they are."""
    return list(dataset['datasets']) if 'datasets' in dataset else [dataset['dataset']]


def leaf_configs(dataset: dict) -> list[dict]:
    """Configs of the data sets inside all wrappers, as they are."""
    return (
        [leaf for inner in inner_configs(dataset) for leaf in leaf_configs(inner)] if is_wrapper(dataset) else [dataset]
    )


def mapped_leaves(dataset: dict, change: Callable[[dict], dict]) -> dict:
    """A copy of a data set config in which each data set inside the wrappers is what ``change`` makes of it, in their order.

    Example:
        >>> mapped_leaves(dict(type='RepeatDataset', dataset=dict(type='A')), lambda leaf: {**leaf, 'ann_file': 'a.txt'})
        {'type': 'RepeatDataset', 'dataset': {'type': 'A', 'ann_file': 'a.txt'}}
    """
    return _with_inner(dataset, lambda inner: mapped_leaves(inner, change)) if is_wrapper(dataset) else change(dataset)


def without_pipelines(dataset: dict) -> dict:
    """A copy of a data set config, wrapped or not, that opens no file when it is built."""
    emptied = {**dataset, 'pipeline': []} if 'pipeline' in dataset else dict(dataset)
    return _with_inner(emptied, without_pipelines) if is_wrapper(dataset) else emptied


def _with_inner(wrapper: dict, change: Callable[[dict], dict]) -> dict:
    """A copy of a wrapper's config with its own data sets changed."""
    inner = [change(one) for one in inner_configs(wrapper)]
    return {**wrapper, 'datasets': inner} if 'datasets' in wrapper else {**wrapper, 'dataset': inner[0]}


def walk_steps(pipeline: Sequence) -> Iterator[dict]:
    """Configs of all steps of a pipeline, nested ones too."""
    for step in pipeline:
        if isinstance(step, list | tuple):
            yield from walk_steps(step)
        else:
            yield step
            if step.get('type') in NESTING:
                yield from walk_steps(step['transforms'])


def type_name(kind: str | type) -> str:
    """Name of a class from a config's ``type``: text with or without scope or module, or the class."""
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__
