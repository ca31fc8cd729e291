"""What the defect data sets have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmseg.datasets import BaseSegDataset

from ..utils import UserError
from .listing import listed_samples


class DefectDataset(BaseSegDataset):
    """An MMSeg data set that may come without masks.

    The unlabelled variant is the same class with ``data_prefix=dict(img_path=...)`` and a pipeline without
    ``LoadAnnotations``: no mask path is ever made, whether or not a mask exists.

    Args:
        img_suffix: Suffix of the images.
        seg_map_suffix: Suffix of the masks.
        **kwargs: See ``mmseg.datasets.BaseSegDataset``.

    Raises:
        UserError: If the split file is not there, or names no images.
    """

    prepare_command = ''

    def __init__(self, img_suffix: str = '.png', seg_map_suffix: str = '.png', **kwargs: Any) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    def load_data_list(self) -> Sequence[dict]:
        """One dict per image of the split, with ``img_path`` and, where masks are wanted, ``seg_map_path``.

        Those of a list are made when they are asked for.
        """
        if self.ann_file and not Path(self.ann_file).is_file():
            raise UserError(f'{self.ann_file} is not there: write it with `simeps prepare_data {self.prepare_command}`')
        images = listed_samples(self) if self.ann_file and not self.backend_args else super().load_data_list()
        if not images:
            raise UserError(f'{self.ann_file or self.data_prefix["img_path"]} names no images: choose another split')
        return images
