"""Draws the predictions of a few images at an interval, always the same images."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset, Compose
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import Dataset

from ...utils import UserError, evenly_spaced
from ...utils.dataset_tree import leaf_datasets
from ...utils.images import displayed
from ...utils.paths import names_of_results
from ...utils.undisturbed_random_numbers import undisturbed_random_numbers
from ..prediction import opens_masks, predict
from .access import unwrapped


@HOOKS.register_module()
class PredictionVisualizationHook(Hook):
    """Shows what the model says of the same images at an interval, so that its progress can be flipped through.

    Some images are of the validation set, some are unlabelled ones, with the pseudo-labels that the branches would be
    taught, all networks in evaluation mode. They go through the visualiser of the runner to all its back ends, under one
    name per image (``val_<name>``, ``unlabeled_<name>``) and with the iteration as step. With ``SemiSegLocalVisualizer``
    each picture has the branches, their disagreement and the errors; MMSeg's own shows ground truth and prediction.

    Training is not disturbed: no random number is drawn from its generators, no running average moves, no transform is
    random (the unlabelled images, too, pass the validation pipeline).

    Args:
        interval: Iterations between two looks. The first is before the first iteration, the last after the last one.
        val_images: How many images of the validation set, evenly spaced, or the names (file names without suffix) of those
            to show.
        unlabeled_images: Likewise of the unlabelled source.

    Raises:
        ValueError: On an interval below 1 or a negative number of images.
    """

    priority = 'LOW'

    def __init__(
        self, interval: int, val_images: int | Sequence[str] = 4, unlabeled_images: int | Sequence[str] = 2
    ) -> None:
        if interval < 1:
            raise UserError(f'PredictionVisualizationHook.interval must be 1 or more iterations, got {interval}')
        for name, wanted in (('val_images', val_images), ('unlabeled_images', unlabeled_images)):
            if isinstance(wanted, str) or (isinstance(wanted, int) and wanted < 0):
                raise UserError(
                    f'PredictionVisualizationHook.{name} must be a number of images or a list of names, got {wanted!r}'
                )
        self.interval = interval
        self.val_images = val_images
        self.unlabeled_images = unlabeled_images
        self._val: list[dict] = []
        self._unlabeled: list[dict] = []
        self._shown_at: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Choose the images, once, and look at them.

        Raises:
            UserError: If there is no validation set or a name is not there.
        """
        if runner.val_loop is None:
            raise UserError('PredictionVisualizationHook shows images of the validation set: set val_dataloader')
        with undisturbed_random_numbers():
            validation = runner.val_loop.dataloader.dataset
            steps = next(leaf_datasets(validation)).pipeline.transforms
            self._load_image = steps[0]
            self._val = chosen_samples(validation, self.val_images, Compose(steps), 'val_images')
            unlabeled = unlabeled_source(runner.train_loop.dataloader.dataset)
            if unlabeled is not None:
                without_masks = Compose([step for step in steps if not opens_masks(step)])
                self._unlabeled = chosen_samples(unlabeled, self.unlabeled_images, without_masks, 'unlabeled_images')
        runner.visualizer.dataset_meta = validation.metainfo
        self._show(runner, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Draw the predictions at the interval."""
        if self.every_n_train_iters(runner, self.interval):
            self._show(runner, runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """Draw the predictions of the last weights."""
        self._show(runner, runner.iter)

    def _show(self, runner: Runner, iteration: int) -> None:
        if not is_main_process() or self._shown_at == iteration:
            return
        self._shown_at = iteration
        model = unwrapped(runner.model)
        for part, samples in (('val', self._val), ('unlabeled', self._unlabeled)):
            names = names_of_results([data['data_samples'].img_path for data in samples])
            for data in samples:
                sample = predict(model, data, with_pseudo_labels=part == 'unlabeled')
                image = displayed(self._load_image(dict(img_path=sample.img_path))['img'])
                runner.visualizer.add_datasample(f'{part}_{names[sample.img_path]}', image, sample, step=iteration)


def chosen_samples(dataset: BaseDataset, wanted: int | Sequence[str], pipeline: Compose, key: str) -> list[dict]:
    """Samples of a data set through a pipeline: so many, evenly spaced, or those with the names.

    Raises:
        UserError: If a name is not there.
    """
    if isinstance(wanted, int):
        indices = evenly_spaced(len(dataset), wanted)
    else:
        places = {Path(dataset.get_data_info(i)['img_path']).stem: i for i in range(len(dataset))}
        missing = [name for name in wanted if name not in places]
        if missing:
            raise UserError(
                f'PredictionVisualizationHook.{key}: no image is called {", ".join(missing)}; names are file names without '
                f'suffix, such as {next(iter(places))}'
            )
        indices = [places[name] for name in wanted]
    return [pipeline(dataset.get_data_info(int(index))) for index in indices]


def unlabeled_source(dataset: Dataset) -> Dataset | None:
    """The second of two concatenated sources, which is the unlabelled one; None in a labels-only experiment."""
    sources = getattr(dataset, 'datasets', [])
    return sources[1] if len(sources) == 2 else None
