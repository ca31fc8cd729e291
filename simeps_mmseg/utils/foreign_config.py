"""What a config from elsewhere may name: nothing that runs code or opens pickled files when it is built."""

import re
from collections.abc import Iterator
from enum import Enum
from importlib.util import find_spec
from inspect import isclass

from mmengine.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS, WEIGHT_INITIALIZERS, Registry
from mmengine.utils import get_object_from_string
from torch import nn

from .config_tree import walk_values

# Packages whose import does nothing to files but what it is there for.
TRUSTED = ('mmcls', 'mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg', 'simeps_mmseg')
# Of torch only networks and optimisers: torch.PyTorchFileWriter, for one, is a class that overwrites the file it is given.
TRUSTED_CLASS = re.compile(rf'({"|".join(TRUSTED)}|torch\.nn|torch\.optim)(\.\w+)*\.[A-Z]\w*')
# They build what they are made of by names of another library's transforms, which are classes that read no files.
NAME_THEIR_OWN = ('Albu', 'RandomView')


class Place(Enum):
    """What a part of a config is built into: the registries that know its types, and the modules these may be of.

    A module stands for those below it. Others of the same packages unpickle files (retrieval and tagging networks,
    classification data sets) or run code that a file or an address names (inferencers, language models).
    """

    NETWORK = (
        (MODELS, TASK_UTILS, WEIGHT_INITIALIZERS),
        (
            *('torch.nn', 'mmengine.model', 'mmengine.utils.dl_utils.parrots_wrapper', 'mmcv.cnn', 'mmcv.ops'),
            *('mmseg.models', 'mmseg.structures.sampler', 'simeps_mmseg.models'),
            *('mmdet.models.backbones', 'mmdet.models.dense_heads', 'mmdet.models.layers', 'mmdet.models.losses'),
            *('mmdet.models.necks', 'mmdet.models.task_modules'),
            *('mmpretrain.models.backbones', 'mmpretrain.models.utils.norm'),
        ),
    )
    DATA = (
        (DATASETS, TRANSFORMS),
        ('mmengine.dataset.dataset_wrapper', 'mmcv.transforms', 'mmseg.datasets', 'simeps_mmseg.datasets'),
    )

    def __init__(self, registries: tuple[Registry, ...], modules: tuple[str, ...]) -> None:
        self.registries = registries
        self.modules = modules


# Inside these modules: what instantiates targets that a file names, what downloads.
SHUT_OUT = ('mmseg.models.backbones.vpd', 'mmseg.datasets.onedl', 'mmseg.datasets.dsdl')
# Classes of the places for networks that are no networks.
HELPERS = (
    'mmengine.model.weight_init',
    'mmseg.structures.sampler',
    'mmseg.models.assigners',
    'mmdet.models.task_modules',
)


def check_foreign(values: dict) -> None:
    """Raise ``ValueError`` with the key if a config from elsewhere names anything that may run code."""
    for key, name, value in walk_values(values):
        if name in ('default_scope', '_scope_') and value is not None and value not in TRUSTED:
            raise ValueError(f'{key}={value!r}, a package that would be imported')
        if name == 'class_weight' and isinstance(value, str):
            raise ValueError(f'{key}={value!r}, a file')
    imports = (values.get('custom_imports') or {}).get('imports', [])
    for module in [imports] if isinstance(imports, str) else imports:
        if str(module).split('.')[0] not in TRUSTED:
            raise ValueError(f'custom_imports={module!r}, a module that would be imported')
    scope = values.get('default_scope') or 'mmseg'
    for top, part in values.items():
        _check_part(part, str(top), _place_of(str(top)), scope)


def _place_of(top: str) -> Place | None:
    if top in ('model', 'data_preprocessor'):
        return Place.NETWORK
    return Place.DATA if top.endswith('_pipeline') else None


def _check_part(node: object, key: str, place: Place | None, scope: str, named_inside: bool = False) -> None:
    """Check a part of a config and all that is in it.

    Args:
        node: The part.
        key: Its dotted key.
        place: What it is built into; None: nothing builds it from a config that is read.
        scope: Of the registries that build it, as mmengine hands ``_scope_`` down.
        named_inside: Whether it is what a class of :data:`NAME_THEIR_OWN` is made of.
    """
    if isinstance(node, list | tuple):
        for index, item in enumerate(node):
            _check_part(item, f'{key}.{index}', place, scope, named_inside)
    if not isinstance(node, dict):
        return
    scope = node.get('_scope_') or scope
    kind = node.get('type')
    if isinstance(kind, str) and not (named_inside and re.fullmatch(r'[A-Z]\w*', kind)):
        _check_type(kind, f'{key}.type', place, scope)
    for problem in _value_problems(node, key, place):
        raise ValueError(problem)
    for name, value in node.items():
        inner = Place.DATA if key.endswith('_dataloader') and name == 'dataset' else place
        _check_part(value, f'{key}.{name}', inner, scope, named_inside or kind in NAME_THEIR_OWN)


def _check_type(name: str, key: str, place: Place | None, scope: str) -> None:
    # A registry imports what it does not know, also the last part of a name whose first is a scope.
    if find_spec(name.split('.')[-1]) is not None or ('.' in name and not TRUSTED_CLASS.fullmatch(name)):
        raise ValueError(f'{key}={name!r}, code of another package')
    if place is None:
        if '.' in name and not _is_trusted_class(name):
            raise ValueError(f'{key}={name!r}, code of another package')
        return
    found = [cls for registry in place.registries if (cls := _registered(name, registry, scope)) is not None]
    if not found:
        raise ValueError(f'{key}={name!r}, which none of the MMSegmentation packages has')
    if not all(_belongs(cls, place) for cls in found):
        what = 'network' if place is Place.NETWORK else 'segmentation data set or step of its pipeline'
        raise ValueError(f'{key}={name!r}, which is no {what}')


def _is_trusted_class(name: str) -> bool:
    try:
        found = get_object_from_string(name)  # as a registry does
    except Exception as error:  # of a package that does not fit the installed ones
        raise ValueError(f'{name} cannot be imported: {error}') from error
    if found is None:  # a scope and a registered name
        return True
    # A trusted module also holds classes that it has imported from elsewhere.
    return isclass(found) and bool(TRUSTED_CLASS.fullmatch(_qualified(found)))


def _registered(name: str, registry: Registry, scope: str) -> object | None:
    """What a registry would build for a name; None where it knows none."""
    try:
        with registry.switch_scope_and_registry(scope) as scoped:
            return scoped.get(name)
    except Exception:  # of what it tries to import
        return None


def _belongs(found: object, place: Place) -> bool:
    if not isclass(found) or _is_within(found, SHUT_OUT) or not _is_within(found, place.modules):
        return False
    return place is not Place.NETWORK or issubclass(found, nn.Module) or _is_within(found, HELPERS)


def _is_within(found: type, modules: tuple[str, ...]) -> bool:
    return _qualified(found).startswith(tuple(f'{module}.' for module in modules))


def _qualified(found: type) -> str:
    return f'{found.__module__}.{found.__qualname__}'


def _value_problems(node: dict, key: str, place: Place | None) -> Iterator[str]:
    """Values of one dict that would have a class which is allowed open what is not."""
    if place is Place.NETWORK:
        if node.get('checkpoint_path'):
            yield f'{key}.checkpoint_path={node["checkpoint_path"]!r}, a file that another library opens'
        if ':' in str(node.get('model_name', '')):
            yield f'{key}.model_name={node["model_name"]!r}, an address or a folder'
    if place is not Place.DATA:
        return
    if node.get('decode_backend') == 'pickle':
        yield f"{key}.decode_backend='pickle'"
    for name in ('backend_args', 'file_client_args'):
        if node.get(name) and node[name] not in (dict(backend='local'), dict(backend='disk')):
            yield f'{key}.{name}={node[name]!r}, files from elsewhere than the disk'
    for inner, _, value in walk_values(node, key):
        if isinstance(value, str) and '://' in value:
            yield f'{inner}={value!r}, an address'
        if isinstance(value, str) and value.lower().endswith(('.pkl', '.pickle')):
            yield f'{inner}={value!r}, a pickled file'
