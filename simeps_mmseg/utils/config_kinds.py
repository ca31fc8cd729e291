"""Parts of a config that are no dict, list or text where all that reads them takes one."""

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any

from .errors import refuse
from .own_types import PACKAGE, is_of, is_own

# Kinds by the word of a key, and what to write there.
Words = Mapping[str, tuple[type | tuple[type, ...], str]]

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
LOADER = 'dict(batch_size=..., dataset=dict(...))'
TYPED = 'dict(type=...)'
# What each part is called in a message if it is no dict.
DICTS = dict(
    **dict.fromkeys(LOADERS, LOADER),
    **dict.fromkeys(('model', 'data_preprocessor', 'val_cfg', 'test_cfg', 'tta_model', 'visualizer'), TYPED),
    **dict.fromkeys(('log_processor', 'model_wrapper_cfg', 'strategy'), TYPED),
    auto_scale_lr='dict(enable=..., base_batch_size=...)',
    default_hooks='dict(checkpoint=dict(type=...), ...)',
    env_cfg='dict(cudnn_benchmark=..., ...)',
    optim_wrapper='dict(type=..., optimizer=dict(type=...))',
    train_cfg="dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...)",
)
DICTS_OR_LISTS = dict.fromkeys(('param_scheduler', 'test_evaluator', 'val_evaluator'), f'{TYPED} or a list of such')
LISTS = dict.fromkeys(('custom_hooks', 'vis_backends'), f'a list of {TYPED}')
TEXTS = dict(
    default_scope="text, such as 'mmseg'",
    experiment_name='text',
    load_from='the path of a checkpoint',
    runner_type='the name of a runner',
    work_dir='the path of a folder',
)
# What reads these does not ask whether they are None.
NEVER_NONE = ('env_cfg', 'model', 'randomness', 'runner_type', 'type')
PARTS: Words = {
    **{name: (Mapping, expected) for name, expected in DICTS.items()},
    **{name: ((Mapping, list, tuple), expected) for name, expected in DICTS_OR_LISTS.items()},
    **{name: ((list, tuple), expected) for name, expected in LISTS.items()},
    **{name: (str, expected) for name, expected in TEXTS.items()},
    'log_level': ((str, int), "a level of Python's logging, such as 'INFO'"),
    'randomness': (object, 'dict(seed=...)'),  # a check of its own looks inside
}
# Directly inside a part.
LOADER_PARTS: Words = {
    **dict.fromkeys(('sampler', 'batch_sampler'), (Mapping, TYPED)),
    'dataset': (Mapping, "one dict; several sets are dict(type='ConcatDataset', datasets=[...])"),
}
OPTIMIZER: Words = dict(optimizer=(Mapping, TYPED))
BACKENDS: Words = dict(vis_backends=((list, tuple), LISTS['vis_backends']))
PREPROCESSOR: Words = dict(data_preprocessor=(Mapping, TYPED))
NETWORK_PARTS: Words = {
    **PREPROCESSOR,
    **dict.fromkeys(('backbone', 'neck'), ((Mapping, list), f'{TYPED} or a list of such, one after the other')),
    **dict.fromkeys(('auxiliary_head', 'decode_head'), ((Mapping, list, tuple), f'{TYPED} or a list of such')),
}
SEMI_PARTS: Words = {
    **PREPROCESSOR,
    **dict.fromkeys(('branch', 'cross_pseudo', 'cut_mix', 'similarity', 'teacher', 'view'), (Mapping, TYPED)),
    'branches': ((list, tuple), f'a list of {TYPED}'),
}
# At any depth of a part.
TYPE: Words = {'type': ((str, Callable), 'the name of a class')}  # type: ignore[dict-item]
DATA: Words = {
    **TYPE,
    **dict.fromkeys(('datasets', 'pipeline'), ((list, tuple), f'a list of {TYPED}')),
    **dict.fromkeys(('ann_file', 'data_root', 'img_path', 'seg_map_path'), ((str, PathLike), 'a path')),
    'data_prefix': (Mapping, 'dict(img_path=..., seg_map_path=...)'),
}
DEEP = {
    **dict.fromkeys(LOADERS, DATA),
    **dict.fromkeys(('model', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator'), TYPE),
    **dict.fromkeys(('default_hooks', 'custom_hooks', 'visualizer'), TYPE),
}


def counts_epochs(train_cfg: Mapping) -> bool:
    """Whether a ``train_cfg`` counts epochs, as mmengine reads it."""
    kind = train_cfg.get('type')
    return kind == 'EpochBasedTrainLoop' or (
        kind is None and train_cfg.get('by_epoch', True) and 'max_epochs' in train_cfg
    )


def check_kinds(cfg: Mapping[str, Any]) -> None:
    """Refuse what no tool can read.

    Raises:
        UserError: With every such part.
    """
    refuse('the config cannot be read', kind_problems(cfg))


def kind_problems(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Parts, at any depth, of another kind than they have to be, such as lists where MMSegmentation 0.x had them.

    What is not there is no problem, and options of classes of other packages are their own.

    Example:
        >>> list(kind_problems(dict(model=dict(type='A'), train_cfg=[1], custom_hooks=dict(type='B'))))
        ["train_cfg must be dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...), got a list", \
'custom_hooks must be a list of dict(type=...), got a dict']
    """
    yield from _problems(dict(cfg.items()), '', PARTS)  # a Config is no Mapping
    yield from _hook_problems(cfg.get('default_hooks'))
    for part in LOADERS:
        yield from _problems(cfg.get(part), part, LOADER_PARTS)
    yield from _problems(cfg.get('optim_wrapper'), 'optim_wrapper', OPTIMIZER)
    yield from _problems(cfg.get('visualizer'), 'visualizer', BACKENDS)
    yield from _model_problems(cfg.get('model'))
    for part, words in DEEP.items():
        yield from _deep_problems(cfg.get(part), part, words)


def _hook_problems(hooks: object) -> Iterator[str]:
    for name, hook in hooks.items() if isinstance(hooks, Mapping) else ():
        if not isinstance(hook, Mapping | None):
            yield f'default_hooks.{name} must be {TYPED}, or None for no such hook, got {_shown(hook)}'


def _model_problems(model: object) -> Iterator[str]:
    if not isinstance(model, Mapping) or not is_own(model.get('type')):
        yield from _network_problems(model, 'model')
        return
    yield from _problems(model, 'model', SEMI_PARTS)
    yield from _network_problems(model.get('branch'), 'model.branch')
    branches = model.get('branches')
    for index, branch in enumerate(branches if isinstance(branches, list | tuple) else ()):
        yield from _network_problems(branch, f'model.branches[{index}]')


def _network_problems(network: object, path: str) -> Iterator[str]:
    known = isinstance(network, Mapping) and is_of(network.get('type'), 'mmseg', PACKAGE)
    yield from _problems(network, path, NETWORK_PARTS if known else PREPROCESSOR)


def _problems(node: object, path: str, words: Words) -> Iterator[str]:
    """What is directly inside a dict."""
    if not isinstance(node, Mapping):
        return
    for name, value in node.items():
        if name not in words or (value is None and name not in NEVER_NONE):
            continue
        kinds, expected = words[name]
        key = f'{path}.{name}' if path else name
        if value is None or not isinstance(value, kinds):
            yield f'{key} must be {expected}, got {_shown(value)}'
        elif isinstance(value, list | tuple):
            yield from (
                f'{key}[{index}] must be {TYPED}, got {_shown(item)}'
                for index, item in enumerate(value)
                if not _can_be_item(item, name)
            )


def _deep_problems(node: object, path: str, words: Words) -> Iterator[str]:
    """What is inside dicts and lists at any depth."""
    if isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _deep_problems(item, f'{path}[{index}]', words)
    if isinstance(node, Mapping):
        yield from _problems(node, path, words)
        for name, value in node.items():
            if name != 'metainfo':  # whose words are the user's own
                yield from _deep_problems(value, f'{path}.{name}', TYPE if name == 'pipeline' else words)


def _can_be_item(item: object, of: str) -> bool:
    if of == 'pipeline':  # a dict, a list of such, or the step itself
        return item is not None and not isinstance(item, str | int | float)
    if of == 'datasets':  # where unlabelled ones may have the type of the labelled one
        return isinstance(item, Mapping)
    return _is_typed(item)


def _is_typed(part: object) -> bool:
    return isinstance(part, Mapping) and 'type' in part


def _shown(value: object) -> str:
    """A plain value as it is written, another by its kind."""
    if isinstance(value, Mapping):
        return 'a dict' if 'type' in value else 'a dict without type'
    return f'a {type(value).__name__}' if isinstance(value, list | tuple) else repr(value)
