"""The part of a report that needs the model: scores, pictures, similarity maps, what to label next."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample
from torch import Tensor

from ..datasets.checks.inspection import UNLABELED
from ..datasets.selection import NEAR_DUPLICATE
from ..datasets.sources import Source
from ..evaluation import class_areas
from ..evaluation.defect_iou_metric import compare_maps
from ..evaluation.functional import scores_from_areas
from ..inference.evaluation_images import EvaluationImages
from ..inference.loading import networks_of
from ..inference.ranking import contact_sheet, rank_files
from ..inference.similarity_maps import similarity_maps
from ..inference.trained_model import TrainedModel
from ..models.segmentors import ENSEMBLE
from ..utils import UserError, evenly_spaced, progress
from ..utils.images import IMAGE_ERRORS, UnreadableImage, check_image_is_whole
from ..visualization.layer_grid import Style, layer_grid, layers_of
from ..visualization.palette import class_colors
from ..visualization.similarity import similarity_figure
from . import Chart, Finding, Picture, Section, Table, Text, score_findings
from .charts import picture_of
from .page import Block
from .part_section import AREAS, part_facts, part_findings, part_section
from .score_section import score_section
from .scored_images import ScoredImage, by_quality, part_errors_of
from .validation_config import decided_by, smallest_region

PER_CHOICE = 3  # best, median and worst images
SIMILARITY_BATCH = 8
TO_LABEL = 12
MOVED = 'If the data has moved, tell where it is: --cfg-options val_dataloader.dataset.data_root=...'
SPLIT_NAMES = dict(val='validation', test='test')


class ModelSections(NamedTuple):
    """What a trained model adds to a report.

    Attributes:
        facts: For the head of the page.
        findings: What to know of the scores.
        parts: The section on whole parts, if images could be scored.
        sections: The others.
    """

    facts: list[tuple[str, str]]
    findings: list[Finding]
    parts: list[Section]
    sections: list[Section]


def model_sections(
    cfg: Config,
    weights: Path,
    sources: Sequence[Source],
    distances: Sequence[Chart],
    split: str = 'val',
    images: int = 200,
    unlabeled: int = 100,
    device: str | None = None,
) -> ModelSections:
    """What a trained model makes of its validation images and of unlabelled ones.

    Args:
        cfg: The whole config.
        weights: Path of the checkpoint.
        sources: The data sets of the config.
        distances: Charts that belong beside the similarity maps.
        split: ``'val'`` or ``'test'``.
        images: At most so many, evenly spaced. 0: all.
        unlabeled: At most so many unlabelled images are ranked. 0: none.
        device: Such as ``cpu`` or ``cuda:0``.

    Returns:
        Facts, findings and sections. What cannot be shown is said in its place.
    """
    try:
        trained = TrainedModel(cfg, weights, device, split)
    except UserError as error:
        told = f'The model could not be loaded: {error}'
        unscored = [Section('Images', [Text(told)]), Section('Similarity maps', distances)]
        return ModelSections([], [Finding(True, f'No images were scored. {told}')], [], unscored)
    facts: list[tuple[str, str]] = []
    findings: list[Finding] = []
    parts: list[Section] = []
    sections: list[Section] = []
    readable: list[int] = []
    data = None
    try:
        data = EvaluationImages(cfg, split)
    except UserError as error:
        told = f'The {SPLIT_NAMES[split]} images could not be looked at: {error}'
        findings.append(Finding(True, f'No images were scored. {told} {MOVED}'))
        sections.append(Section('Images', [Text(told)]))
    if data is not None:
        scored, failed = score_images(data, trained, images)
        readable = [one.index for one in scored]
        if failed:
            findings.append(Finding(True, f'Of the images {len(failed)} could not be scored: {"; ".join(failed[:3])}'))
        if scored:
            names = _names_of(trained, len(scored[0].matrices) - 1)
            areas = sorted({smallest_region(cfg, split), *AREAS})
            errors = [part_errors_of(scored, k, [smallest_region(cfg, split)])[0] for k in range(len(names))]
            facts += part_facts(errors[0])
            findings += part_findings(errors[0], data.classes)
            findings += score_findings(np.sum([one.matrices[0] for one in scored], axis=0), data.classes, len(scored))
            trade_offs = [part_errors_of(scored, k, areas) for k in range(len(names))]
            parts.append(part_section(errors, names, data.classes, trade_offs))
            title = f'Scores on the {SPLIT_NAMES[split]} images'
            sections.append(score_section(title, scored, errors, names, data.classes, len(data), decided_by(cfg)))
            sections.append(_gallery(data, trained, scored))
    several = len(networks_of(trained.model)) > 1
    maps = [_similarity_maps(data, trained, readable)] if several and data is not None else []
    sections.append(Section('Similarity maps', [*maps, *distances]))
    if several and unlabeled:
        sections.append(_next_to_label(sources, trained, unlabeled))
    return ModelSections(facts, findings, parts, sections)


def score_images(data: EvaluationImages, trained: TrainedModel, most: int) -> tuple[list[ScoredImage], list[str]]:
    """Compare what a model says of images with their ground truth.

    Args:
        data: The images.
        trained: The model.
        most: At most so many, evenly spaced. 0: all.

    Returns:
        Those that could be read, and what was wrong with the others.
    """
    scored, failed = [], []
    for index in progress(evenly_spaced(len(data), most or len(data)), 'score images'):
        try:
            check_image_is_whole(data.paths[index])
            scored.append(score_image(data, trained, index))
        except IMAGE_ERRORS as error:
            failed.append(f'{data.paths[index]}: {UnreadableImage(error)}')
    return scored, failed


def score_image(data: EvaluationImages, trained: TrainedModel, index: int) -> ScoredImage:
    """Compare what a model says of one image with its ground truth."""
    sample = trained.predict(data.paths[index])
    target = torch.from_numpy(data.target(index))
    maps = [sample.pred_sem_seg.data[0]]
    branches = _branches_of(sample)
    if branches is not None:
        maps.extend(branches)
    compared = compare_maps(maps, target, len(data.classes), data.ignore_index)
    miou = 100 * scores_from_areas(class_areas(compared.matrices[0])).miou
    return ScoredImage(index, compared.matrices.numpy(), miou, compared.largest.numpy())


def _names_of(trained: TrainedModel, branches: int) -> list[str]:
    """Captions of the prediction and of each branch."""
    whole = branches and trained.model.test_cfg.get('predict_on', ENSEMBLE) == ENSEMBLE
    return ['ensemble' if whole else 'prediction', *(f'branch {k}' for k in range(branches))]


def _branches_of(sample: SegDataSample) -> Tensor | None:
    """Label maps (K, h, w) of K branches, K > 1."""
    maps = sample.pred_sem_seg_branches.data if 'pred_sem_seg_branches' in sample else None
    return maps if maps is not None and len(maps) > 1 else None


def _gallery(data: EvaluationImages, trained: TrainedModel, scored: Sequence[ScoredImage]) -> Section:
    """Best, median and worst images: image, ground truth, prediction, disagreement, errors."""
    title = 'Best, median and worst images'
    with_defect = [one for one in scored if one.has_defect]
    if not with_defect:
        return Section(title, [Text('None of the images shows a defect.')])
    palette = class_colors(len(data.classes), data.palette)
    style = Style(data.classes, palette, ignore_index=data.ignore_index, panel=240)
    chosen = [(kind, one) for kind, some in by_quality(with_defect, PER_CHOICE).items() for one in some]
    blocks = []
    for kind, one in progress(chosen, 'draw'):
        caption = f'{kind}: {data.paths[one.index].stem}, mIoU {one.miou:.0f} %'
        blocks.append(Picture.of(_drawn(data, trained, one.index, style), caption))
    return Section(title, blocks)


def _drawn(data: EvaluationImages, trained: TrainedModel, index: int, style: Style) -> np.ndarray:
    sample = trained.predict(data.paths[index])
    branches = _branches_of(sample)
    layers = layers_of(
        data.image(index),
        data.target(index),
        sample.pred_sem_seg.data[0].numpy(),
        None if branches is None else branches.numpy(),
        ignore_index=data.ignore_index,
    )
    # The branches themselves would make the picture too wide to read; their disagreement shows where they differ.
    return layer_grid([layer for layer in layers if not layer.title.startswith('branch ')], style, zooms=1)


def _similarity_maps(data: EvaluationImages, trained: TrainedModel, readable: Sequence[int]) -> Picture | Text:
    indices = [readable[place] for place in evenly_spaced(len(readable), SIMILARITY_BATCH)]
    try:
        maps = similarity_maps(trained, [data.paths[index] for index in indices])
    except UserError as error:
        return Text(str(error))
    caption = (
        'How similar the images of a batch are to each branch, at encoder, decoder and logits, and where two branches '
        'differ. Images stand beside the rows and columns that are theirs.'
    )
    return picture_of(similarity_figure(maps, [data.image(index) for index in indices], tile=1.7), caption)


def _next_to_label(sources: Sequence[Source], trained: TrainedModel, count: int) -> Section:
    title = 'What to label next'
    paths = [Path(info['img_path']) for source in sources if source.part == UNLABELED for info in source.infos]
    if not paths:
        return Section(title, [Text('The config has no unlabelled images, or they are not where it says.')])
    chosen = [paths[index] for index in evenly_spaced(len(paths), count)]
    stems = Counter(path.stem for path in chosen)
    files = {path.stem if stems[path.stem] == 1 else str(path): path for path in chosen}
    ranking, failed = rank_files(trained.model, trained.preparation, files, NEAR_DUPLICATE)
    if not ranking:
        return Section(title, [Text('None of the unlabelled images could be read: ' + '; '.join(failed[:3]))])
    some = f'{len(files):,} of the {len(paths):,}' if len(files) < len(paths) else f'the {len(paths):,}'
    blocks: list[Block] = [
        Text(
            f'Of {some} unlabelled images, those that the branches disagree about most. simeps rank_unlabeled ranks all '
            'of them and writes the new split.'
        ),
        picture_of(
            contact_sheet(trained.model, trained.preparation, ranking[:TO_LABEL], files, columns=2, tile=1.6),
            'Image, prediction of the ensemble, and mutual information of the branches (brighter: they differ).',
        ),
        Table(
            ['rank', 'image', 'score (nats)', 'pixels in dispute'],
            [
                [str(place), one.name, f'{one.uncertainty.score:.4f}', f'{one.uncertainty.disagreement:.1%}']
                for place, one in enumerate(ranking[:TO_LABEL], 1)
            ],
        ),
    ]
    if failed:
        blocks.append(Text(f'{len(failed)} could not be read: ' + '; '.join(failed[:3])))
    return Section(title, blocks)
