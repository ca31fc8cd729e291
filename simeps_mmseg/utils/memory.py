"""How much memory this process may have."""

import os
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

CGROUPS = Path('/sys/fs/cgroup')


def memory_limit() -> int | None:
    """Bytes: the least of the machine's memory, the limit of a container and ``ulimit -v``; None where none is known."""
    limits = [limit for limit in (_machine(), _container(), _address_space()) if limit]
    return min(limits, default=None)


def _machine() -> int | None:
    try:
        return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    except (AttributeError, OSError, ValueError):
        return None


def _container() -> int | None:
    try:
        own = Path('/proc/self/cgroup').read_text().splitlines()[-1].split(':', 2)[2].lstrip('/')
    except (OSError, IndexError):
        return None
    folder = CGROUPS / own
    limits = [_number(parent / 'memory.max') for parent in (folder, *folder.parents) if parent.is_relative_to(CGROUPS)]
    limits.append(_number(CGROUPS / 'memory/memory.limit_in_bytes'))  # cgroups of the first version
    return min((limit for limit in limits if limit), default=None)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # not there, or 'max'
        return None


def _address_space() -> int | None:
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
