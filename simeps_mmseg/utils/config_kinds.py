"""Parts of a config that are no dict, list or text where all that reads them takes one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

from .errors import UserError

LOADER = 'dict(batch_size=..., dataset=dict(...))'
TYPED = 'dict(type=...)'
# What each part is called in a message if it is no dict.
DICTS = dict(
    **dict.fromkeys(('train_dataloader', 'val_dataloader', 'test_dataloader'), LOADER),
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
# These may not be None, or not there: what reads them does not ask.
NEVER_NONE = ('env_cfg', 'model', 'randomness', 'runner_type')
KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **{name: (Mapping, expected) for name, expected in DICTS.items()},
    **{name: ((Mapping, list, tuple), expected) for name, expected in DICTS_OR_LISTS.items()},
    **{name: ((list, tuple), expected) for name, expected in LISTS.items()},
    **{name: (str, expected) for name, expected in TEXTS.items()},
    'log_level': ((str, int), "a level of Python's logging, such as 'INFO'"),
    'randomness': (object, 'dict(seed=...)'),  # a check of its own looks inside
}
# The same inside these parts of a run, at any depth, by the last word of the key.
LOOKED_INTO = (
    *('model', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'optim_wrapper', 'param_scheduler'),
    *('val_evaluator', 'test_evaluator', 'default_hooks', 'custom_hooks', 'visualizer'),
)
INSIDE: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(
        ('backbone', 'branch', 'data_preprocessor', 'neck', 'optimizer', 'sampler', 'batch_sampler'), (Mapping, TYPED)
    ),
    **dict.fromkeys(('cross_pseudo', 'cut_mix', 'similarity', 'teacher', 'view'), (Mapping, TYPED)),
    **dict.fromkeys(('auxiliary_head', 'decode_head'), ((Mapping, list, tuple), f'{TYPED} or a list of such')),
    **dict.fromkeys(('branches', 'datasets', 'pipeline', 'vis_backends'), ((list, tuple), f'a list of {TYPED}')),
    **dict.fromkeys(('ann_file', 'data_root', 'img_path', 'seg_map_path'), ((str, PathLike), 'a path')),
    'data_prefix': (Mapping, 'dict(img_path=..., seg_map_path=...)'),
    'type': ((str, Callable), 'the name of a class'),  # type: ignore[dict-item]
}


def check_kinds(cfg: Mapping[str, Any]) -> None:
    """Refuse what no tool can read.

    Raises:
        UserError: With every such part.
    """
    problems = list(kind_problems(cfg))
    if problems:
        raise UserError('the config cannot be read:\n' + '\n'.join(f'  - {problem}' for problem in problems))


def kind_problems(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Top-level parts of another kind than they have to be, such as lists where MMSegmentation 0.x had them.

    Example:
        >>> list(kind_problems(dict(model=dict(type='A'), train_cfg=[1], custom_hooks=dict(type='B'))))
        ["train_cfg must be dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...), got a list", \
'custom_hooks must be a list of dict(type=...), got a dict']
    """
    for name, value in cfg.items():
        if name not in KINDS or (value is None and name not in NEVER_NONE):
            continue
        kinds, expected = KINDS[name]
        if value is None or not isinstance(value, kinds):
            yield f'{name} must be {expected}, got {_shown(value)}'
        elif isinstance(value, list | tuple):
            yield from (
                f'{name}[{index}] must be {TYPED}, got {_shown(item)}'
                for index, item in enumerate(value)
                if not isinstance(item, Mapping)
            )
    for part in LOOKED_INTO:
        yield from _inner_problems(cfg.get(part), part)


def _inner_problems(node: object, path: str) -> Iterator[str]:
    if isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _inner_problems(item, f'{path}[{index}]')
    if not isinstance(node, Mapping):
        return
    for name, value in node.items():
        kinds, expected = INSIDE.get(name, (object, ''))
        if (value is not None or name == 'type') and not isinstance(value, kinds):
            yield f'{path}.{name} must be {expected}, got {_shown(value)}'
        elif name == 'pipeline' and isinstance(value, list | tuple):
            yield from _step_problems(value, f'{path}.{name}')
        elif name != 'metainfo':  # whose words are the user's own
            yield from _inner_problems(value, f'{path}.{name}')


def _step_problems(steps: Sequence, path: str) -> Iterator[str]:
    for index, step in enumerate(steps):
        if isinstance(step, Mapping):
            yield from _inner_problems(step, f'{path}[{index}]')
        elif step is None or isinstance(step, str | int | float):
            yield f'{path}[{index}] must be {TYPED}, got {_shown(step)}'


def _shown(value: object) -> str:
    """A plain value as it is written, another by its kind."""
    if isinstance(value, Mapping):
        return 'a dict'
    return f'a {type(value).__name__}' if isinstance(value, list | tuple) else repr(value)
