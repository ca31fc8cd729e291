"""Errors of MMSegmentation, mmengine or PyTorch about a part of a config, told by its keys.

Which part it is stands in the traceback: the frame that builds a part holds its config, the frame of a module's method holds
the module. No message is parsed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from traceback import FrameSummary, extract_tb, walk_tb
from types import CodeType, FrameType, FunctionType
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry, build_from_cfg
from mmengine.runner import Runner
from torch import nn

from .config_tree import has_key, walk_dicts
from .configs import PARTS_OF_A_RUN
from .errors import UserError, disk_full
from .slips import did_you_mean

# Errors that these raise are about the config. Those of other code, a user's own modules among it, keep their traceback.
STACK = ('mmengine', 'mmcv', 'mmseg', 'mmpretrain', 'mmdet', 'torch', 'torchvision', 'numpy')
# A constructor that refuses its arguments, whoever wrote it.
REFUSALS = (TypeError, ValueError, KeyError, AssertionError)
# What builds a part of a config, and its argument that is this part.
BUILDERS: dict[CodeType, str] = {
    build_from_cfg.__code__: 'cfg',
    Runner.build_dataloader.__code__: 'dataloader',
    Runner.build_optim_wrapper.__code__: 'optim_wrapper',
    Runner.build_param_scheduler.__code__: 'scheduler',
    Runner._check_scheduler_cfg.__code__: 'param_scheduler',
    Runner.build_log_processor.__code__: 'log_processor',
    **{build.__code__: 'loop' for build in (Runner.build_train_loop, Runner.build_val_loop, Runner.build_test_loop)},
}
CALL = nn.Module._call_impl.__code__
LIKE_A_SLIP = 0.75  # how alike a word and the one that was meant are, by difflib


@contextmanager
def config_keys_named(cfg: Config) -> Iterator[None]:
    """Turn an error of the stack about a part of a config into one that names its keys.

    Raises:
        UserError: In place of a built-in exception raised while a part is built or a module is called; the others pass.
    """
    try:
        yield
    except Exception as error:
        text = None if _is_of_another_kind(error) else described(error, cfg._cfg_dict)
        if text is None:
            raise
        raise UserError(text) from error


def _is_of_another_kind(error: Exception) -> bool:
    """Errors that say themselves what is wrong (``UserError``, CUDA, a full disk or memory)."""
    return disk_full(error) is not None or isinstance(error, MemoryError) or type(error).__module__ != 'builtins'


def described(error: Exception, cfg: dict) -> str | None:
    """What part of a config an error is about, and what it says; None where its traceback has no part, or it is no error of
    the config.

    Args:
        error: That was raised.
        cfg: The whole config, as plain nested dicts.
    """
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    of_stack = str(frames[-1].f_globals.get('__name__')).split('.')[0] in STACK
    where = extract_tb(error.__traceback__)[-1]
    message = _message(error, where)
    model = next((frame.f_locals['self'] for frame in frames if frame.f_code is CALL), nn.Module())
    names = {id(module): name for name, module in model.named_modules()}
    for frame in reversed(frames):
        module = frame.f_locals.get('self')
        if frame.f_code in BUILDERS and (of_stack or isinstance(error, REFUSALS)):
            part = frame.f_locals.get(BUILDERS[frame.f_code])
            if not isinstance(part, Mapping):  # such as a head that is None: what it was to be a part of has a key
                continue
            unfit = misfits(frame, part, message)
            keys = [f'{place}.{name}' if name else place for place in places_of(part, cfg) for name in unfit or ['']]
            # An unknown type or argument is refused by the builder itself; what a constructor says needs its place.
            place = '' if frame is frames[-1] else f' ({type(error).__name__}, {_place(where)})'
            message = message.split('. ')[0]
            return (
                f'the config cannot be built: {" or ".join(keys)}: {message}{place}{meant(frame, unfit)}'
                if keys
                else None
            )
        if id(module) in names and of_stack:
            name = names[id(module)]
            owner = f'{type(module).__name__} {name}'.strip()
            return (
                f'{module_key(name, cfg)} cannot be computed with what it is given: {message} ({type(error).__name__} in '
                f'{owner}, {_place(where)}). Compare its options with the images and with the parts before it'
            )
    return None


def misfits(frame: FrameType, part: Mapping[str, Any], message: str) -> list[str]:
    """What of the part that a frame builds does not fit: its type if that is unknown, the arguments that the message names,
    or nothing known.
    """
    if 'obj_type' in frame.f_locals and frame.f_locals.get('obj_cls') is None:
        return ['type']
    return [name for name in part if name != 'type' and any(f'{q}{name}{q}' in message for q in '\'"`')]


def meant(frame: FrameType, names: Sequence[str]) -> str:
    """A question after the type, or the argument, that a misspelt one is nearest to, of those that the builder knows."""
    registry, built = (frame.f_locals.get(name) for name in ('registry', 'obj_cls'))
    if names == ['type'] and isinstance(registry, Registry):
        word, known = (
            str(frame.f_locals['obj_type']),
            {*registry.module_dict, *getattr(registry.parent, 'module_dict', ())},
        )
    elif len(names) == 1 and isinstance(built, type):
        constructors = [vars(one).get('__init__') for one in built.__mro__]
        functions = [one for one in constructors if isinstance(one, FunctionType)]
        word, known = names[0], {name for one in functions for name in signature(one).parameters}
    else:
        return ''
    return '' if word in known else did_you_mean(word, known, LIKE_A_SLIP)


def places_of(part: Mapping[str, Any], cfg: dict) -> list[str]:
    """The dotted keys of the dicts in a config that a part was made of: of its type, those that share most values with it.

    Example:
        >>> places_of(dict(type='A', a=1, built=object()), dict(model=[dict(type='A', a=1), dict(type='A', a=2)]))
        ['model.0']
    """
    shared = {
        key: sum(name in part and _equal(part[name], value) for name, value in node.items())
        for key, node in walk_dicts(cfg)
        if key and _equal(node.get('type'), part.get('type'))
    }
    most = max(shared.values(), default=0)
    found = [key for key, count in shared.items() if count == most > 0]
    return [key for key in found if key.split('.')[0] in PARTS_OF_A_RUN] or found  # others are variables


def module_key(name: str, cfg: dict) -> str:
    """The dotted key of the innermost part of ``model`` that a module belongs to.

    Args:
        name: Of the module in the model, as ``named_modules`` has it.
        cfg: The whole config.

    Example:
        >>> cfg = dict(model=dict(branch=dict(decode_head=dict(channels=4))))
        >>> module_key('module.branches.2.decode_head.convs.0', cfg), module_key('teachers.0.module.neck', cfg)
        ('model.branch.decode_head', 'model.branch')
    """
    parts = name.removeprefix('module.').split('.')
    if parts[0] == 'teachers':
        parts = ['branches', parts[1], *parts[3:]]
    if parts[0] == 'branches' and not has_key(cfg, ['model', *parts[:2]]):
        parts = ['branch', *parts[2:]]
    parts = ['model', *parts]
    while len(parts) > 1 and not has_key(cfg, parts):
        parts.pop()
    return '.'.join(parts)


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except (TypeError, ValueError, RuntimeError):  # arrays and tensors
        return False


def _message(error: Exception, where: FrameSummary) -> str:
    """The first line of an error; of a bare assertion its code."""
    text = str(error.args[0]) if error.args else ''
    return text.strip().splitlines()[0] if text.strip() else where.line or type(error).__name__


def _place(where: FrameSummary) -> str:
    """File and line, from its package on."""
    parts = Path(where.filename).parts
    start = max((index for index, part in enumerate(parts) if part == 'site-packages'), default=len(parts) - 3)
    return f'{"/".join(parts[max(start + 1, 0) :])}:{where.lineno}'
