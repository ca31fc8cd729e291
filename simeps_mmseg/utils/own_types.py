"""What the ``type`` of a part of a config stands for: classes of this package or others."""

from collections.abc import Iterator

from mmseg import registry

from .config_tree import type_name

PACKAGE = __name__.split('.')[0]


def is_own(kind: str | type | None) -> bool:
    """Whether a config's ``type`` is a class of this package."""
    return is_of(kind, PACKAGE)


def is_of(kind: str | type | None, *packages: str) -> bool:
    """Whether a config's ``type`` is a class of one of these packages."""
    return any(found.__module__.split('.')[0] in packages for found in classes_of(kind))


def classes_of(kind: str | type | None) -> Iterator[type]:
    """The classes of a ``type``: itself, or those that the registries of MMSegmentation have under that name."""
    if isinstance(kind, type):
        yield kind
    elif isinstance(kind, str):
        for one in vars(registry).values():
            found = getattr(one, 'module_dict', {}).get(type_name(kind))
            if isinstance(found, type):
                yield found


def inherits(kind: str | type | None, base: type) -> bool:
    """Whether a ``type`` is a class or one derived from it."""
    return any(issubclass(found, base) for found in classes_of(kind))
