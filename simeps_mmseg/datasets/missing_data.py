"""Whether the data that a config names is there."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmseg.registry import DATASETS

from ..utils import UserError
from ..utils.config_tree import walk_dicts

TRAINED_AND_VALIDATED = ('train_dataloader', 'val_dataloader')
LOADERS = (*TRAINED_AND_VALIDATED, 'test_dataloader')


def check_data_is_there(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> None:
    """Look for the folders and split files of all data sets.

    Raises:
        UserError: With all that is missing, the name of the download and the command that prepares it.
    """
    missing = list({found[0]: found for found in reversed([*missing_data(cfg, loaders)])}.values())[::-1]
    if missing:
        listed = '\n'.join(f'  - {path} ({key})' for path, key, _ in missing)
        steps = '\n'.join(dict.fromkeys(step for _, _, step in missing if step))
        raise UserError(f'data that the config names is not there:\n{listed}\n{steps}'.rstrip())


def missing_data(cfg: Config, loaders: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """For each missing folder or file: its path, the config key that names it, and what to do."""
    for loader in loaders:
        for key, node in walk_dicts(cfg.get(loader) or {}, loader):
            if 'data_root' not in node and 'data_prefix' not in node:
                continue
            root = Path(node.get('data_root') or '')
            step = next_step(node.get('type'))
            if node.get('data_root') and 'data_prefix' not in node and not root.is_dir():
                yield str(root), f'{key}.data_root', step
            for prefix in ('img_path', 'seg_map_path'):
                folder = (node.get('data_prefix') or {}).get(prefix)
                if folder is not None and not (root / folder).is_dir():
                    yield str(root / folder), f'{key}.data_prefix.{prefix}', step
            split = node.get('ann_file')
            if split and not (root / split).exists():
                yield str(root / split), f'{key}.ann_file', step


def next_step(dataset_type: str | type | None) -> str:
    """The command that prepares a data set of this package; empty for others."""
    dataset = DATASETS.get(dataset_type) if isinstance(dataset_type, str) else dataset_type
    command = getattr(dataset, 'prepare_command', '')
    return (
        f'Prepare it with: python tools/prepare_data.py {command}  (or: simeps prepare_data {command})'
        if command
        else ''
    )
