"""What a conversion starts from: a supervised config, a method, a folder of unlabelled images."""

from collections.abc import Sequence
from pathlib import Path

import mmseg
from mmengine.config import Config

from ..datasets.unlabeled_pipeline import OTHER_TASKS
from ..utils import UserError
from ..utils.config_kinds import check_kinds
from ..utils.config_tree import leaf_configs, walk_dicts, walk_steps
from ..utils.configs import read_config
from ..utils.images import list_images
from ..utils.paths import find_config, reference_to, shipped_folder

LAZY = (
    'the config is in the pure Python style of mmengine (with read_base() or imports), which no other config can inherit; '
    "write it out first: python -c \"from mmengine.config import Config; Config.fromfile('CONFIG').dump('plain.py')\""
)


def load_supervised(config: str, out: Path) -> tuple[Config, str]:
    """A supervised config, and how a config at ``out`` refers to it.

    Raises:
        UserError: If it is not there, cannot be read, is not supervised, or is written in mmengine's pure Python style.
    """
    shipped = Path(mmseg.__file__).parent / '.mim' / 'configs'
    path = shipped / config.removeprefix('mmseg::') if config.startswith('mmseg::') else find_config(config)
    if not path.is_file():
        raise UserError(f'config {config} is not there; MMSegmentation keeps its own in {shipped}')
    if path.resolve() == out.resolve():
        raise UserError(f'{out} is the supervised config itself; write to another file')
    cfg = read_config(path)
    if any(isinstance(node.get('type'), type) for _, node in walk_dicts(cfg._cfg_dict)):
        raise UserError(LAZY)
    check_kinds(cfg)
    check_supervised(cfg, config)
    inside = path.resolve().is_relative_to(shipped.resolve())
    return cfg, f'mmseg::{path.resolve().relative_to(shipped.resolve()).as_posix()}' if inside else reference_to(
        path, out
    )


def check_supervised(cfg: Config, config: str) -> None:
    """Raise ``UserError`` unless a config trains one segmentor on images with masks."""
    missing = [key for key in ('model', 'train_dataloader', 'optim_wrapper') if not cfg.get(key)]
    if missing:
        raise UserError(f'{config} has no {" and no ".join(missing)}: a config to train with is needed')
    if {'branch', 'branches'} & cfg.model.keys():
        raise UserError(f'{config} is semi-supervised already (model.type={cfg.model.type}); give the supervised one')
    for leaf in leaf_configs(cfg.train_dataloader.dataset):
        for step in walk_steps(leaf.get('pipeline') or []):
            if step.get('type') in OTHER_TASKS:
                raise UserError(
                    f'{config} is for {OTHER_TASKS[step["type"]]} ({step["type"]} in its pipeline); '
                    'only configs that segment single images can be converted'
                )


def load_method(method: str, base: Config) -> Path:
    """The file of a semi-supervised method, below ``configs/_base_/semi/``.

    Raises:
        UserError: If there is none of this name, or it and the supervised config define the same variable.
    """
    folder = shipped_folder('configs') / '_base_/semi'
    names = sorted(file.stem for file in folder.glob('*.py'))
    if method not in names:
        raise UserError(f'--method {method} is not there; choose one of {", ".join(names)}')
    file = folder / f'{method}.py'
    common = Config.fromfile(file).keys() & base.keys()
    if common:
        raise UserError(
            f'{", ".join(sorted(common))} in the supervised config: {file.name} has variables of that name too, and two '
            'bases must not have one in common; rename them'
        )
    return file


def check_unlabeled(folder: str, suffixes: Sequence[str]) -> list[str]:
    """Images of the unlabelled folder.

    Raises:
        UserError: If there is no folder, no image, or images that look like masks of their neighbours.
    """
    if not Path(folder).is_dir():
        raise UserError(
            f'--unlabeled {folder} is not a folder; it takes a folder of images, which may have sub-folders'
        )
    images = list_images(folder, suffixes)
    if not images:
        raise UserError(f'--unlabeled {folder} holds no image; looked for {", ".join(suffixes)}')
    stems: dict[str, str] = {}
    for image in images:
        other = stems.setdefault(image.rpartition('.')[0], image)
        if other != image:
            raise UserError(
                f'--unlabeled {folder} holds {other} and {image}: is one the mask of the other? '
                f'Say which files are images, such as --suffixes {Path(other).suffix}; if both are images, rename one'
            )
    return images
