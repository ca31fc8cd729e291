"""Uncertainty and features of many files, shared among processes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ..deploy import read_checkpoint
from ..evaluation.uncertainty import ImageUncertainty
from ..utils import progress
from ..utils.images import UnreadableImage
from .assessments import Assessments
from .loading import load_model
from .preparation import Preparation
from .ranking import assess
from .workers import in_workers


class Assessor:
    """Assesses files with one model.

    Args:
        cfg: The whole config.
        checkpoint: Path of the weights.
        device: Where the model goes. None: the GPU where there is one, else the CPU.
    """

    def __init__(self, cfg: Config, checkpoint: str, device: str | None = None) -> None:
        self.cfg = cfg
        self.checkpoint = checkpoint
        self.model = load_model(cfg, read_checkpoint(checkpoint), device)
        self.prepare = Preparation(cfg)

    def __call__(self, image: tuple[str, Path]) -> Iterator[tuple[ImageUncertainty, np.ndarray]]:
        """Uncertainty and features of one file, by name and path; see :func:`~.ranking.assess`."""
        yield assess(self.model, self.prepare, image[1])


def assess_files(
    assessor: Assessor, files: Mapping[str, Path], assessed: Assessments, workers: int = 1, device: str | None = None
) -> list[str]:
    """Assess the files that are not assessed yet, and write down what is found.

    Args:
        assessor: What works in this process; of several, each opens one like it.
        files: By name.
        assessed: What is known, and where the rest goes.
        workers: Processes.
        device: Where the models of several processes go. None: one GPU after the other, or the CPU.

    Returns:
        A line for each file that could not be read.
    """
    images = [image for image in files.items() if image not in assessed]
    open_assessor: Callable = partial(Assessor, assessor.cfg, assessor.checkpoint)
    open_work = (lambda _: assessor) if workers == 1 else open_assessor
    done: Iterator[tuple[tuple[str, Path], Iterable[tuple[ImageUncertainty, np.ndarray]]]]
    done = in_workers(open_work, images, workers, device, assessor.cfg.get('custom_imports'))
    failed: list[str] = []
    for (name, file), found in progress(done, 'rank unlabelled images', total=len(images)):
        try:
            for uncertainty, features in found:
                assessed.add(name, file, uncertainty, features)
        except UnreadableImage as error:
            assessed.forget(name)
            failed.append(f'  - {file}: {error}')
    return failed
