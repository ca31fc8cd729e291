"""Whether the data that a config names is there."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from ...utils import UserError
from ...utils.config_kinds import LOADERS
from ...utils.config_tree import walk_dicts
from ..defaults import class_of
from ..labeled_unlabeled import LabeledUnlabeledDataset, parts_of
from ..labeled_unlabeled_configs import is_kind

TRAINED_AND_VALIDATED = ('train_dataloader', 'val_dataloader')


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
        for key, node in walk_dicts(written_out(cfg.get(loader) or {}), loader):
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


def written_out(loader: dict) -> dict:
    """A loader whose ``LabeledUnlabeledDataset`` has the configs of its two data sets; any other as it is."""
    dataset = loader.get('dataset')
    if not dataset or not is_kind(dataset, LabeledUnlabeledDataset) or (parts := parts_of(dataset)) is None:
        return loader
    return {**loader, 'dataset': dict(zip(('labeled', 'unlabeled'), parts))}


def leave_out_evaluation_images(cfg: Config) -> None:
    """Keep the images that are validated or tested on out of the unlabelled folders of a config, in place.

    Data that is not there yet is passed over.
    """
    train = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    if not is_kind(train, LabeledUnlabeledDataset) or train.get('unlabeled') is None:
        return
    excluded = list(train.get('exclude') or ())
    excluded += [dataset for dataset in evaluation_sets(cfg).values() if dataset not in excluded]
    train['exclude'] = excluded


def evaluation_sets(cfg: Config) -> dict[str, dict]:
    """Data sets that are validated or tested on and that are there, by their loaders; each once."""
    found: dict[str, dict] = {}
    for name in ('val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(name) or {}).get('dataset')
        if dataset and dataset not in found.values() and not any(missing_data(cfg, (name,))):
            found[name] = dataset
    return found


def next_step(dataset_type: str | type | None) -> str:
    """The command that prepares a data set of this package; empty for others."""
    command = getattr(class_of(dict(type=dataset_type)), 'prepare_command', '')
    return f'Prepare it with: simeps prepare_data {command}' if command else ''
