"""Many files assessed: shared among processes and kept in files, or a few of them in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmseg.models import BaseSegmentor

from ...deploy import read_checkpoint
from ...evaluation.uncertainty import ImageUncertainty
from ...utils import progress
from ...utils.images import UnreadableImage
from ..loading import load_model
from ..preparation import Preparation
from ..workers import in_workers
from .one_image import assess
from .order import RankedImage, rank
from .store import Assessments


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
        """Uncertainty and features of one file, by name and path; see :func:`~.one_image.assess`."""
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


def rank_files(
    model: BaseSegmentor, prepare: Preparation, files: Mapping[str, Path], similarity: float
) -> tuple[list[RankedImage], list[str]]:
    """Assess and rank a few image files, whose features are held in memory.

    Args:
        model: With two networks or more.
        prepare: The way from a file to the model's input.
        files: By name.
        similarity: Cosine above which images are near-duplicates.

    Returns:
        Those that could be read, as :func:`rank` orders them, and a line for each of the others.
    """
    names: list[str] = []
    uncertainties: list[ImageUncertainty] = []
    failed: list[str] = []
    features = np.empty((0, 0), np.float16)  # many of them, each up to 100,000 long
    for name, file in progress(files.items(), 'rank unlabelled images'):
        try:
            uncertainty, feature = assess(model, prepare, file)
        except UnreadableImage as error:
            failed.append(f'  - {file}: {error}')
            continue
        if not names:
            features = np.empty((len(files), len(feature)), np.float16)
        features[len(names)] = feature
        names.append(name)
        uncertainties.append(uncertainty)
    return (rank(names, uncertainties, features[: len(names)], similarity) if names else []), failed
