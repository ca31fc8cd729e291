"""Images of a config's validation or test set with their ground truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, TRANSFORMS

from ..datasets.checks.missing_data import check_data_is_there
from ..datasets.renumbering import renumbered_by
from ..engine.prediction import opens_masks
from ..utils import UserError
from ..utils.config_tree import leaf_configs
from ..utils.dataset_tree import leaf_datasets
from ..utils.images import displayed


class EvaluationImages:
    """The images that a config validates or tests on, at their own size.

    Args:
        cfg: The whole config; not changed.
        split: ``'val'`` or ``'test'``.

    Raises:
        UserError: If the config has no such set, or its files are not there.
    """

    def __init__(self, cfg: Config, split: str = 'test') -> None:
        loader = f'{split}_dataloader'
        if not cfg.get(loader):
            raise UserError(f'{cfg.filename} has no {loader}')
        check_data_is_there(cfg, (loader,))
        init_default_scope(cfg.get('default_scope') or 'mmseg')
        try:
            dataset = DATASETS.build(cfg[loader].dataset)
        except Exception as error:  # whatever a data set class raises
            raise UserError(f'{loader}.dataset cannot be listed: {str(error) or type(error).__name__}') from error
        if not dataset.metainfo.get('classes'):
            raise UserError(f'{loader}.dataset has no classes; set metainfo=dict(classes=(...))')
        self._dataset = dataset
        steps = next(leaf_datasets(dataset)).pipeline.transforms
        self._load_image = steps[0]
        self._label_map = renumbered_by(leaf_configs(cfg[loader].dataset)[0].get('pipeline') or ())
        self._load_target = [step for step in steps if opens_masks(step)] or [
            TRANSFORMS.build(dict(type='LoadAnnotations'))
        ]
        self.classes: Sequence[str] = dataset.metainfo['classes']
        self.palette: Sequence[Sequence[int]] | None = dataset.metainfo.get('palette')
        self.ignore_index: int = getattr(next(leaf_datasets(dataset)), 'ignore_index', 255)
        self.paths = [Path(dataset.get_data_info(index)['img_path']) for index in range(len(dataset))]

    def __len__(self) -> int:
        return len(self.paths)

    def image(self, index: int) -> np.ndarray:
        """An image as the loader of the config reads it, shape (h, w, 3), RGB, uint8."""
        return displayed(self._load_image(dict(img_path=str(self.paths[index])))['img'])

    def target(self, index: int) -> np.ndarray:
        """Class indices, shape (h, w), int64.

        Raises:
            UserError: If the image has no ground truth.
        """
        info = self._dataset.get_data_info(index)
        if not info.get('seg_map_path'):
            raise UserError(f'{self.paths[index]} has no ground truth: the data set of the config has no seg_map_path')
        if self._label_map:
            info['label_map'] = self._label_map
        return self._load_target[0](info)['gt_seg_map'].astype(np.int64)

    def indices(self, names: Sequence[str]) -> list[int]:
        """Places of images by file name, with or without suffix, or by path.

        Raises:
            UserError: If one is not there, or a name is that of several.
        """
        places: dict[str, list[int]] = {}
        for index, path in enumerate(self.paths):
            for key in {path.name, path.stem, str(path)}:
                places.setdefault(key, []).append(index)
        missing = [name for name in names if name not in places]
        if missing:
            raise UserError(
                f'{", ".join(missing)}: not among the {len(self)} images in {self.paths[0].parent}; names are file names, '
                f'such as {self.paths[0].stem}'
            )
        several = [name for name in names if len(places[name]) > 1]
        if several:
            listed = ', '.join(str(self.paths[index]) for index in places[several[0]])
            raise UserError(f'{several[0]} is the name of several images; give the path of one: {listed}')
        return [places[name][0] for name in names]
