"""Packages that parts of a config need and that do not come with this one."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from ...utils.config_tree import type_name, walk_dicts
from ...utils.errors import refuse

# The package and its installation, by the type that needs it. MMSegmentation's own message for Albu names a command that
# brings a second OpenCV, which takes the place of the first.
NEEDED = dict(
    Albu=(
        'albumentations',
        'pip install --no-deps albumentations==2.0.8 albucore==0.0.24 && pip install simsimd stringzilla pydantic',
    ),
    TIMMBackbone=('timm', 'pip install timm'),
)

PARTS = ('model', 'train_dataloader', 'val_dataloader')  # what a training builds


def check_packages(cfg: Mapping) -> None:
    """Look for the packages before data is read.

    Args:
        cfg: The whole config.

    Raises:
        UserError: With every part that lacks its package, and how to install it.
    """
    problems = list(package_problems(cfg))
    refuse('packages are missing', problems)


def package_problems(cfg: Mapping) -> Iterator[str]:
    """A line for each package that is not installed, with the first part of the config that needs it."""
    missing: set[str] = set()
    for key, node in walk_dicts({part: cfg[part] for part in PARTS if cfg.get(part)}):
        kind = type_name(node.get('type') or '')
        package, command = NEEDED.get(kind, ('', ''))
        if package and package not in missing and find_spec(package) is None:
            missing.add(package)
            yield f'{key} ({kind}) needs {package}: {command}'
