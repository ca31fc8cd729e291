"""The part of a report that needs the model: scores, pictures, similarity maps, what to label next."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmseg.structures import SegDataSample
from PIL import Image
from torch import Tensor

from ..datasets.inspection import UNLABELED
from ..datasets.selection import NEAR_DUPLICATE
from ..datasets.sources import Source
from ..evaluation import class_areas, confusion_matrix
from ..evaluation.defect_iou_metric import SUMMARY, summarize
from ..evaluation.functional import iou_and_dice, scores_from_areas
from ..models.segmentors import ENSEMBLE
from ..report import Chart, Finding, Picture, Section, Table, Text, charts, score_findings
from ..utils import UserError, evenly_spaced, progress
from ..utils.images import IMAGE_ERRORS, UnreadableImage, check_image_is_whole
from ..visualization.palette import class_colors
from ..visualization.sheet import Style, layers_of, sheet
from ..visualization.similarity import similarity_figure
from .evaluation_images import EvaluationImages, TrainedModel
from .model import networks_of
from .rank_unlabeled import rank_files, sheet_figure
from .visualize_similarity import similarity_maps

PER_CHOICE = 3  # best, median and worst images
SIMILARITY_BATCH = 8
TO_LABEL = 12
SCORES_EXPLAINED = (
    'mIoU_fg sums the areas over all images and is without the background; mIoU is the same with it. mIoU_image is the mean '
    'over the images of the IoU of the defects that each shows: what is called a defect beside them, or on good parts, it '
    'cannot see. mDice_image likewise with the Dice score; aAcc_image is the share of the pixels that are right; false_alarms '
    'is the share of the images without a defect on which something is called one.'
)
MOVED = 'If the data has moved, tell where it is: --cfg-options val_dataloader.dataset.data_root=...'
SPLIT_NAMES = dict(val='validation', test='test')


def decided_by(cfg: Config) -> str | None:
    """The score by which a training keeps its best checkpoint; None where it keeps none, or says ``auto``."""
    wanted = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    first = wanted[0] if isinstance(wanted, list | tuple) and wanted else wanted
    return first if isinstance(first, str) and first != 'auto' else None


@dataclass(frozen=True)
class ScoredImage:
    """One image of the validation or test set.

    Attributes:
        index: Its place in the set.
        matrices: Confusion of the prediction, then of each branch, shape (1 + K, C, C), int64.
        miou: Per-image mIoU of the prediction in per cent; NaN where no defect is to be seen.
    """

    index: int
    matrices: np.ndarray
    miou: float

    @property
    def has_defect(self) -> bool:
        """Whether the ground truth shows one."""
        return not np.isnan(self.miou)


def model_sections(
    cfg: Config,
    weights: Path,
    sources: Sequence[Source],
    distances: Sequence[Chart],
    split: str = 'val',
    images: int = 200,
    unlabeled: int = 100,
    device: str = 'cpu',
) -> tuple[list[Finding], list[Section]]:
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
        What to know of the scores, and the sections. What cannot be shown is said in its place.
    """
    try:
        trained = TrainedModel(cfg, weights, device, split)
    except UserError as error:
        told = f'The model could not be loaded: {error}'
        return [Finding(True, f'No images were scored. {told}')], [
            Section('Images', [Text(told)]),
            Section('Similarity maps', distances),
        ]
    findings: list[Finding] = []
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
            findings += score_findings(np.sum([one.matrices[0] for one in scored], axis=0), data.classes, len(scored))
            sections += [_scores(scored, trained, data.classes, split, len(data)), _gallery(data, trained, scored)]
    several = len(networks_of(trained.model)) > 1
    maps = [_similarity_maps(data, trained, readable)] if several and data is not None else []
    sections.append(Section('Similarity maps', [*maps, *distances]))
    if several and unlabeled:
        sections.append(_next_to_label(sources, trained, unlabeled))
    return findings, sections


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
    matrices = [confusion_matrix(one, target, len(data.classes), data.ignore_index) for one in maps]
    return ScoredImage(index, torch.stack(matrices).numpy(), 100 * scores_from_areas(class_areas(matrices[0])).miou)


def _branches_of(sample: SegDataSample) -> Tensor | None:
    """Label maps (K, h, w) of K branches, K > 1."""
    maps = sample.pred_sem_seg_branches.data if 'pred_sem_seg_branches' in sample else []
    return maps if len(maps) > 1 else None


def _scores(
    scored: Sequence[ScoredImage], trained: TrainedModel, classes: Sequence[str], split: str, total: int
) -> Section:
    matrices = np.stack([one.matrices for one in scored])
    branches = matrices.shape[1] - 1
    whole = branches and trained.model.test_cfg.get('predict_on', ENSEMBLE) == ENSEMBLE
    names = ['ensemble' if whole else 'prediction', *(f'branch {k}' for k in range(branches))]
    decided = decided_by(trained.cfg)
    chosen = f' {decided} on validation decides which weights are the best.' if decided else ''
    rows, bars = [], {}
    for k, name in enumerate(names):
        areas = class_areas(torch.from_numpy(matrices[:, k]))
        summary = summarize(areas)
        rows.append([name, *(f'{summary[key]:.2f}' for key in SUMMARY)])
        bars[name] = 100 * iou_and_dice(areas.sum(dim=0))[0].numpy()
    of = f'{total} images' if len(scored) == total else f'{len(scored)} of {total} images'
    return Section(
        f'Scores on the {SPLIT_NAMES[split]} images',
        [
            Table(['per cent', *SUMMARY], rows, f'These weights on {of}.'),
            Text(SCORES_EXPLAINED + chosen),
            charts.class_bars(bars, classes, 'IoU by class (%)'),
            charts.confusion_chart(matrices[:, 0].sum(axis=0), classes, 'What is taken for what (% of the true class)'),
            charts.histogram([one.miou for one in scored if one.has_defect], 'Images by their mIoU', 'mIoU (%)'),
        ],
    )


def _gallery(data: EvaluationImages, trained: TrainedModel, scored: Sequence[ScoredImage]) -> Section:
    """Best, median and worst images: image, ground truth, prediction, disagreement, errors."""
    title = 'Best, median and worst images'
    with_defect = [one for one in scored if one.has_defect]
    if not with_defect:
        return Section(title, [Text('None of the images shows a defect.')])
    style = Style(data.classes, class_colors(len(data.classes), data.palette), panel=240)
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
    return sheet([layer for layer in layers if not layer.title.startswith('branch ')], style, zooms=1)


def by_quality(scored: Sequence[ScoredImage], most: int) -> dict[str, list[ScoredImage]]:
    """The best, the median and the worst images by mIoU, ``most`` of each kind and none twice."""
    order = sorted(scored, key=lambda one: -one.miou)
    count = min(most, -(-len(order) // 3))
    worst = order[max(len(order) - count, 0) :][::-1]
    best = order[: min(count, len(order) - len(worst))]
    between = order[len(best) : len(order) - len(worst)]
    start = max((len(between) - count) // 2, 0)
    return dict(best=best, median=between[start : start + count], worst=worst)


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
    blocks = [
        Text(
            f'Of {some} unlabelled images, those that the branches disagree about most. tools/rank_unlabeled.py ranks all '
            'of them and writes the new split.'
        ),
        picture_of(
            sheet_figure(trained.model, trained.preparation, ranking[:TO_LABEL], files, columns=2, tile=1.6),
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


def picture_of(figure: Figure, caption: str, dpi: int = 130) -> Picture:
    """A figure as a picture of the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format='png')
    return Picture.of(np.asarray(Image.open(buffer).convert('RGB')), caption)
