"""From an image file to a model's input."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.models import BaseSegmentor
from torch import Tensor

from ..datasets.unlabeled_pipeline import loads_labels
from ..utils import UserError
from ..utils.config_tree import type_name
from ..utils.configs import test_pipeline
from ..utils.images import IMAGE_ERRORS, UnreadableImage


class Preparation:
    """The test pipeline of a config without what opens a mask: from a file, or an array, to an image and the model's input.

    Args:
        cfg: The whole config.
        split: ``'test'`` or ``'val'``: whose pipeline.

    Raises:
        UserError: If there is no such pipeline, or a step of it is not known.
    """

    def __init__(self, cfg: Config, split: str = 'test') -> None:
        init_default_scope(cfg.get('default_scope') or 'mmseg')
        steps = [step for step in test_pipeline(cfg, split) if not loads_labels(type_name(step['type']))]
        self._load_array = Compose([dict(type='LoadImageFromNDArray')])
        try:
            self._load_file = Compose(steps[:1])
            self._rest = Compose(steps[1:])
        except KeyError as error:
            raise UserError(f'{split}_dataloader.dataset.pipeline: {error}') from error

    def __call__(self, source: str | np.ndarray) -> tuple[np.ndarray, dict]:
        """Prepare one image.

        Args:
            source: Path, or an array (h, w, 3) as ``cv2`` has it: blue, green, red.

        Returns:
            The image as it was loaded, (h, w, c), and ``inputs`` (c, h', w') with ``data_samples``.

        Raises:
            UnreadableImage: If the image cannot be read, or a step does not take it, such as for its size.
        """
        try:
            if isinstance(source, np.ndarray):
                loaded = self._load_array(dict(img=source))
            else:
                loaded = self._load_file(dict(img_path=str(source)))
        except IMAGE_ERRORS as error:
            raise UnreadableImage(error) from error
        if loaded is None or loaded.get('img') is None:
            raise UnreadableImage('no image can be decoded')
        image = loaded['img'].copy()
        try:
            data = self._rest(loaded)
        except IMAGE_ERRORS as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise UnreadableImage(f'the test pipeline refuses it: {reason}') from error
        if data is None:
            raise UnreadableImage('the test pipeline drops it')
        return image, data


def preprocessed(model: BaseSegmentor, data: Sequence[Mapping]) -> tuple[Tensor, list]:
    """Normalised images (b, c, h, w) of one size, on the model's device, and their samples."""
    batch = dict(
        inputs=[one['inputs'] for one in data], data_samples=[copy.deepcopy(one['data_samples']) for one in data]
    )
    batch = model.data_preprocessor(batch, False)
    return batch['inputs'], batch['data_samples']
