"""IoU of a data set and of single images, and errors about whole parts, for the prediction and each branch in one pass."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor

from ..utils import UserError
from .functional import SUMMARY, class_areas, confusion_matrix, iou_and_dice, scores_from_areas
from .part_decisions import PartErrors, counted_region, in_words, part_errors


class ComparedMaps(NamedTuple):
    """Label maps of one image, compared with its ground truth.

    Attributes:
        matrices: Confusion of each map (:func:`simeps_mmseg.evaluation.confusion_matrix`), shape (M, C, C), int64.
        largest: Pixels of the largest region of each map (:func:`simeps_mmseg.evaluation.counted_region`), shape (M,), int64.
    """

    matrices: Tensor
    largest: Tensor


@METRICS.register_module()
class DefectIoUMetric(IoUMetric):
    """MMSeg's ``IoUMetric`` with the scores that defect papers report beside it, and the errors that inspection counts.

    All are in per cent, rounded to two digits, if not called a count:

    ======================  ============================================================================================
    ``mIoU``, ``aAcc``, ..  as ``IoUMetric`` gives them: areas summed over the data set, background is a class
    ``mIoU_fg``             the same without background
    ``mIoU_image``          the paper's protocol: see :func:`simeps_mmseg.evaluation.image_scores`, mean over the images
    ``mDice_image``         likewise
    ``aAcc_image``          likewise
    ``missed``              share of the images with a defect on which nothing is called one; NaN without such images
    ``missed.<class>``      the same of the images that show the class
    ``defective_images``    how many images show a defect, a count
    ``false_alarms``        share of the images without a defect on which something is called one; NaN without such images
    ``defect_free_images``  how many those are, a count
    ``IoU.<class>``         IoU of one class over the data set
    ``branch_k.<key>``      the same for branch k, where the model was told ``test_cfg.branch_predictions=True``
    ======================  ============================================================================================

    Args:
        *args: See ``mmseg.evaluation.IoUMetric``.
        min_area: Pixels of the smallest connected region that counts for ``missed`` and ``false_alarms``; the other scores
            count every pixel. As ``--min-area`` of ``predict``.
        **kwargs: See ``mmseg.evaluation.IoUMetric``.

    Raises:
        UserError: If ``min_area`` is not a whole number of 1 or more.
    """

    def __init__(self, *args: Any, min_area: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(min_area, int) or isinstance(min_area, bool) or min_area < 1:
            raise UserError(
                f'val_evaluator.min_area (DefectIoUMetric) is a number of pixels, 1 or more; got {min_area!r}. 1 counts '
                'every region'
            )
        self.min_area = min_area

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep areas and largest regions of each image; write predictions as ``IoUMetric`` does with ``output_dir``."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        if not self.format_only:
            self.results[before:] = [self._compared(sample) for sample in data_samples]

    def _compared(self, sample: dict) -> tuple[Tensor, Tensor]:
        """Areas (1 + K, 3, C) and largest regions (1 + K,) of the prediction, then of the K branches."""
        maps = [sample['pred_sem_seg']['data'].squeeze(0)]
        if 'pred_sem_seg_branches' in sample:
            maps.extend(sample['pred_sem_seg_branches']['data'])
        target = sample['gt_sem_seg']['data'].squeeze(0)
        compared = compare_maps(maps, target, len(self.dataset_meta['classes']), self.ignore_index)
        return class_areas(compared.matrices), compared.largest

    def compute_metrics(self, results: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Scores from the areas and the largest regions of all images."""
        if self.format_only:
            return super().compute_metrics(results)
        areas = torch.stack([image for image, _ in results], dim=1)
        errors = [
            part_errors(own, areas[0, :, 2], self.min_area) for own in torch.stack([r for _, r in results], dim=1)
        ]
        classes = self.dataset_meta['classes']
        metrics = super().compute_metrics([_as_iou_metric_expects(image) for image in areas[0]])
        stock = {} if self.nan_to_num is None else {key: metrics[key] for key in ('mIoU',) if key in metrics}
        metrics.update({**summarize(areas[0], errors[0]), **stock})  # where it counts classes that do not occur
        metrics.update(defective_images=errors[0].defective, defect_free_images=errors[0].good)
        by_class = zip(classes[1:], errors[0].missed_percent_by_class)
        metrics.update({f'missed.{name}': round(value, 2) for name, value in by_class})
        iou = iou_and_dice(areas[0].sum(dim=0))[0]
        metrics.update({f'IoU.{name}': _percent(value) for name, value in zip(classes, iou)})
        branches = [summarize(own, wrong) for own, wrong in zip(areas[1:], errors[1:])]
        for k, scores in enumerate(branches):
            metrics.update({f'branch_{k}.{key}': value for key, value in scores.items()})
        print_log(f'\n{_table(metrics, branches)}\n{in_words(errors[0])}', MMLogger.get_current_instance())
        return metrics


def compare_maps(maps: Sequence[Tensor], target: Tensor, num_classes: int, ignore_index: int = 255) -> ComparedMaps:
    """Compare label maps of one image with its ground truth.

    Args:
        maps: M maps of class indices, shape (h, w); 0 is background.
        target: Class indices, shape (h, w); ``ignore_index`` where a pixel does not count.
        num_classes: With background.
        ignore_index: See ``target``.
    """
    matrices = [confusion_matrix(one, target.to(one), num_classes, ignore_index).cpu() for one in maps]
    truth = target.cpu().numpy()
    largest = [counted_region(one.cpu().numpy(), truth, num_classes, ignore_index) for one in maps]
    return ComparedMaps(torch.stack(matrices), torch.tensor(largest))


def summarize(areas: Tensor, errors: PartErrors) -> dict[str, float]:
    """The scores named in ``SUMMARY``, in per cent, of n images.

    Args:
        areas: From :func:`simeps_mmseg.evaluation.class_areas`, shape (n, 3, C).
        errors: About the n parts.
    """
    iou = iou_and_dice(areas.sum(dim=0))[0].numpy()
    images = np.array([scores_from_areas(image) for image in areas])
    images = images[~np.isnan(images[:, 0])]
    miou, mdice, accuracy = images.mean(axis=0) if len(images) else np.full(3, np.nan)
    fractions = dict(
        mIoU_fg=_nanmean(iou[1:]), mIoU_image=miou, mIoU=_nanmean(iou), mDice_image=mdice, aAcc_image=accuracy
    )
    scores = {key: _percent(value) for key, value in fractions.items()}
    scores.update(missed=round(errors.missed_percent, 2), false_alarms=round(errors.rejected_percent, 2))
    return {key: scores[key] for key in SUMMARY}


def _nanmean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return known.mean() if len(known) else float('nan')


def _percent(value: float) -> float:
    return round(100 * float(value), 2)


def _as_iou_metric_expects(areas: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    correct, predicted, actual = areas.float()
    return correct, predicted + actual - correct, predicted, actual


def _table(metrics: dict[str, float], branches: list[dict[str, float]]) -> str:
    table = PrettyTable(['prediction of', *SUMMARY])
    table.add_row(['model', *(metrics[key] for key in SUMMARY)])
    for k, scores in enumerate(branches):
        table.add_row([f'branch {k}', *scores.values()])
    return table.get_string()
