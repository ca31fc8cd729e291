"""From a file to its label maps, overlays and records."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from ..deploy import read_checkpoint
from .inputs import InputFile, frames_of
from .loading import load_model
from .prediction import predict_image
from .preparation import Preparation
from .records import ResultWriter


@dataclass(frozen=True)
class Task:
    """A file to segment.

    Attributes:
        item: The file.
        done: ``(name, frame)`` of what is segmented already, such as the first frames of a video.
    """

    item: InputFile
    done: frozenset = frozenset()


class Segmenter:
    """Segments files with one model, and writes what it finds, but the records.

    Args:
        cfg: The whole config.
        checkpoint: Path of the weights.
        folder: Where masks and overlays go.
        min_area: Connected regions of fewer pixels are no defects.
        every: Of a video, take each n-th frame.
        overlays: Whether overlays are written.
        device: Where the model goes. None: the GPU where there is one, else the CPU.
    """

    def __init__(
        self,
        cfg: Config,
        checkpoint: str,
        folder: Path,
        min_area: int,
        every: int,
        overlays: bool,
        device: str | None = None,
    ) -> None:
        self.every = every
        self.model = load_model(cfg, read_checkpoint(checkpoint), device)
        self.prepare = Preparation(cfg)
        self.writer = ResultWriter(folder, self.model.dataset_meta, min_area, overlays)

    def __call__(self, task: Task) -> Iterator[dict]:
        """Segment a file; yields a record for each picture in it.

        Raises:
            UnreadableImage: If it cannot be decoded to its end, or the network refuses it.
        """
        for frame, image in frames_of(task.item, self.every, task.done):
            shown, data = self.prepare(image)
            yield self.writer.write(task.item, frame, shown, predict_image(self.model, data))
