"""IoU of a data set and of single images, for the prediction and each branch in one pass."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from prettytable import PrettyTable
from torch import Tensor

from .functional import class_areas, confusion_matrix, iou_and_dice, scores_from_areas

SUMMARY = ('mIoU', 'mIoU_fg', 'mIoU_image', 'mDice_image', 'aAcc_image', 'false_alarms')


@METRICS.register_module()
class DefectIoUMetric(IoUMetric):
    """MMSeg's ``IoUMetric`` with the scores that defect papers report beside it.

    All are in per cent, rounded to two digits:

    ======================  ============================================================================================
    ``mIoU``, ``aAcc``, ..  as ``IoUMetric`` gives them: areas summed over the data set, background is a class
    ``mIoU_fg``             the same without background
    ``mIoU_image``          the paper's protocol: see :func:`simeps_mmseg.evaluation.image_scores`, mean over the images
    ``mDice_image``         likewise
    ``aAcc_image``          likewise
    ``false_alarms``        share of the images without a defect on which something is called one; NaN without such images
    ``defect_free_images``  how many those are, a count
    ``IoU.<class>``         IoU of one class over the data set
    ``branch_k.<key>``      the same for branch k, where the model was told ``test_cfg.branch_predictions=True``
    ======================  ============================================================================================

    Args:
        **kwargs: See ``mmseg.evaluation.IoUMetric``.
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the areas of each image; write predictions as ``IoUMetric`` does where ``output_dir`` is set."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        if not self.format_only:
            self.results[before:] = [self._areas(sample) for sample in data_samples]

    def _areas(self, sample: dict) -> Tensor:
        """Shape (1 + K, 3, C): areas of the prediction, then of the K branches."""
        target = sample['gt_sem_seg']['data'].squeeze(0)
        maps = [sample['pred_sem_seg']['data'].squeeze(0)]
        if 'pred_sem_seg_branches' in sample:
            maps.extend(sample['pred_sem_seg_branches']['data'])
        num_classes = len(self.dataset_meta['classes'])
        matrices = [confusion_matrix(one, target.to(one), num_classes, self.ignore_index).cpu() for one in maps]
        return class_areas(torch.stack(matrices))

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Scores from the areas of all images."""
        if self.format_only:
            return super().compute_metrics(results)
        areas = torch.stack(results, dim=1)
        metrics = super().compute_metrics([_as_iou_metric_expects(image) for image in areas[0]])
        metrics.update(summarize(areas[0]))
        metrics['defect_free_images'] = int(defect_free(areas[0]).sum())
        iou = iou_and_dice(areas[0].sum(dim=0))[0]
        metrics.update({f'IoU.{name}': _percent(value) for name, value in zip(self.dataset_meta['classes'], iou)})
        branches = [summarize(branch) for branch in areas[1:]]
        for k, scores in enumerate(branches):
            metrics.update({f'branch_{k}.{key}': value for key, value in scores.items()})
        print_log('\n' + _table(metrics, branches), MMLogger.get_current_instance())
        return metrics


def summarize(areas: Tensor) -> dict[str, float]:
    """The scores named in ``SUMMARY``, in per cent, from the areas (n, 3, C) of n images."""
    iou = iou_and_dice(areas.sum(dim=0))[0].numpy()
    images = np.array([scores_from_areas(image) for image in areas])
    images = images[~np.isnan(images[:, 0])]
    per_image = images.mean(axis=0) if len(images) else np.full(3, np.nan)
    alarms = _nanmean(falsely_alarmed(areas)[defect_free(areas)].double().numpy())
    return dict(zip(SUMMARY, map(_percent, (_nanmean(iou), _nanmean(iou[1:]), *per_image, alarms))))


def defect_free(areas: Tensor) -> Tensor:
    """Which of the images with areas (n, 3, C) show background alone: (n,) bool."""
    actual = areas[:, 2]
    return (actual[:, 0] > 0) & (actual[:, 1:].sum(dim=1) == 0)


def falsely_alarmed(areas: Tensor) -> Tensor:
    """On which of the images with areas (n, 3, C) at least one pixel is called a defect: (n,) bool."""
    return areas[:, 1, 1:].sum(dim=1) > 0


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
