"""Masks that are given as unlabelled images: pure functions on reports of files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from .inspection import LABELED, UNLABELED, FileReport, Problem

# Grey values between any two in a mask that is painted to be looked at; those of a photograph lie together.
FAR_APART = 16
AMONG_IMAGES = 'mask among images'


def looks_like_mask(report: FileReport, num_classes: int) -> bool:
    """Whether an image has few grey values, which are class indices or painted far apart."""
    if len(report.tones) < 2:
        return False
    of_masks = {*range(num_classes), 255}
    return of_masks.issuperset(report.tones) or min(high - low for low, high in pairwise(report.tones)) >= FAR_APART


def are_masks(reports: Iterable[FileReport], num_classes: int) -> bool:
    """Whether most images are masks. One of a single grey value says nothing: it may be a mask without a defect."""
    read = [report for report in reports if report.digest is not None]
    telling = [looks_like_mask(report, num_classes) for report in read if len(report.tones) != 1]
    return 2 * sum(telling) > len(telling)


def masks_among_images(
    sources: Iterable[Sequence[FileReport]], reports: Sequence[FileReport], num_classes: int
) -> Iterator[Problem]:
    """Unlabelled images that look like masks.

    One error for a source of which :func:`are_masks` holds, else a warning for each. Where the labelled images look so, too,
    it is how images look here: warnings.

    Args:
        sources: Reports of each unlabelled source.
        reports: Of all parts.
        num_classes: Of the data set.
    """
    like_masks_anyway = are_masks((report for report in reports if report.part == LABELED), num_classes)
    for source in sources:
        masks = [report for report in source if looks_like_mask(report, num_classes)]
        if are_masks(source, num_classes) and not like_masks_anyway:
            yield _source_of_masks(masks, len(source))
            continue
        for report in masks:
            found = f'grey values {list(report.tones)} alone: is it a mask? Keep masks in a folder of their own'
            yield Problem(AMONG_IMAGES, UNLABELED, report.image, 'an image', found, False)


def _source_of_masks(masks: Sequence[FileReport], count: int) -> Problem:
    one = masks[0]
    found = (
        f'masks: {len(masks)} of {count} that were opened have a few grey values alone, such as '
        f'{os.path.basename(one.image)} with {list(one.tones)}. Give the folder of the images'
    )
    folder = os.path.commonpath([os.path.dirname(report.image) for report in masks])
    return Problem('masks as unlabelled images', UNLABELED, folder, 'images', found)
