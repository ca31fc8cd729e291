"""A trained model and what leads from a file to its input."""

from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmseg.structures import SegDataSample

from ..engine.prediction import predict
from ..utils import UserError
from ..utils.checkpoint import read_checkpoint
from .loading import load_model
from .preparation import Preparation


class TrainedModel:
    """A trained model and what leads from a file to its input.

    Args:
        cfg: The whole config; not changed.
        checkpoint: Path of the weights.
        device: Where the model goes. None: the GPU where there is one, else the CPU.
        split: ``'val'`` or ``'test'``: whose pipeline prepares the images.

    Raises:
        UserError: If the checkpoint is not there, or its weights are not those of this model.
    """

    def __init__(self, cfg: Config, checkpoint: str | Path, device: str | None = None, split: str = 'test') -> None:
        try:
            self.model = load_model(cfg, read_checkpoint(checkpoint), device)
        except UserError as error:
            raise UserError(f'{checkpoint} with {cfg.filename}: {error}') from error
        self.cfg = cfg
        self.preparation = Preparation(cfg, split)

    def prepare(self, path: Path) -> dict:
        """What the pipeline makes of an image file."""
        return self.preparation(str(path))[1]

    def predict(self, path: Path) -> SegDataSample:
        """What the model says of a file, at the size of the file: see :func:`simeps_mmseg.engine.prediction.predict`."""
        return predict(self.model, self.prepare(path))

    def labels(self, path: Path) -> np.ndarray:
        """Class indices of an image file, shape (h, w), int64."""
        return self.predict(path).pred_sem_seg.data[0].numpy().astype(np.int64)
