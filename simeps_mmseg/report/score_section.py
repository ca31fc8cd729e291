"""The section with the scores of trained weights."""

from collections.abc import Sequence

import numpy as np
import torch

from ..evaluation import class_areas
from ..evaluation.defect_iou_metric import summarize
from ..evaluation.functional import iou_and_dice
from ..evaluation.part_decisions import PartErrors
from ..visualization.curves import score_order
from . import charts
from .page import Section, Table, Text
from .scored_images import ScoredImage

SCORES_EXPLAINED = (
    'mIoU_fg sums the areas over all images and is without the background; mIoU is the same with it. mIoU_image is the mean '
    'over the images of the IoU of the defects that each shows: what is called a defect beside them, or on good parts, it '
    'cannot see. mDice_image likewise with the Dice score; aAcc_image is the share of the pixels that are right. missed is '
    'the share of the images with a defect on which nothing is called one; false_alarms is the share of the images without '
    'a defect on which something is called one. Of these two less is better.'
)


def score_section(
    title: str,
    scored: Sequence[ScoredImage],
    errors: Sequence[PartErrors],
    names: Sequence[str],
    classes: Sequence[str],
    total: int,
    decided_by: str | None = None,
) -> Section:
    """Scores as a table, IoU by class, confusion, and the images by their mIoU.

    Args:
        title: Of the section.
        scored: At least one image.
        errors: About these parts, for each of ``names``.
        names: Who predicts: the model, then each branch.
        classes: Names, background first.
        total: Images in the whole set.
        decided_by: The score that chose the best checkpoint, if that is known.
    """
    matrices = np.stack([one.matrices for one in scored])
    keys = score_order(decided_by)
    rows, bars = [], {}
    for k, name in enumerate(names):
        areas = class_areas(torch.from_numpy(matrices[:, k]))
        summary = summarize(areas, errors[k])
        rows.append([name, *(f'{summary[key]:.2f}' for key in keys)])
        bars[name] = (100 * iou_and_dice(areas.sum(dim=0))[0]).tolist()
    of = f'{total} images' if len(scored) == total else f'{len(scored)} of {total} images'
    chosen = f' {decided_by} on validation decides which weights are the best.' if decided_by else ''
    return Section(
        title,
        [
            Table(['per cent', *keys], rows, f'These weights on {of}.'),
            Text(SCORES_EXPLAINED + chosen),
            charts.class_bars(bars, classes, 'IoU by class (%)'),
            charts.confusion_chart(matrices[:, 0].sum(axis=0), classes, 'What is taken for what (% of the true class)'),
            charts.histogram([one.miou for one in scored if one.has_defect], 'Images by their mIoU', 'mIoU (%)'),
        ],
    )
