"""Look at every file that a config trains on or is scored on."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from prettytable import PrettyTable

from ..datasets.inspection import (
    LABELED,
    ORDINARY_IMAGES,
    TEST,
    UNLABELED,
    VALIDATION,
    FileReport,
    LabelRules,
    Problem,
    binary_mask_problems,
    count_classes,
    count_values,
    depth_problem,
    is_grey,
    pixel_digest,
    same_evaluation_problem,
    set_problems,
    shared_file_problems,
    size_problem,
)
from ..datasets.transforms.loading import decode_color, to_uint8
from ..datasets.unlabeled_folder import build_listing, leaf_configs
from ..datasets.unlabeled_pipeline import loads_labels
from ..models.utils import walk_dicts
from ..utils import UserError, progress
from ..utils.images import check_image_is_whole
from ..utils.paths import real_path
from .config import load_config
from .data import check_data_is_there, missing_data

ORDINARY_MASKS = ('LoadAnnotations',)


@dataclass(frozen=True)
class FileRules:
    """How the files of one source are read and what they have to be.

    Attributes:
        labels: What the values of the masks mean.
        image_step: Config of the transform that loads images.
        mask_step: Config of the transform that loads masks, or None where there are no masks.
    """

    labels: LabelRules
    image_step: dict
    mask_step: dict | None


class Source(NamedTuple):
    """One data set of a config, wrappers taken off.

    Attributes:
        part: ``labelled``, ``unlabelled``, ``validation`` or ``test``.
        key: Where it stands in the config.
        classes: Names of the classes; empty for unlabelled folders.
        rules: How its files are read.
        infos: What the data set says of each sample: ``img_path`` and, with masks, ``seg_map_path``.
        orphans: Masks in its folder that belong to none of its images.
    """

    part: str
    key: str
    classes: tuple[str, ...]
    rules: FileRules
    infos: list[dict]
    orphans: list[str]


def check_dataset(
    config: str, options: Sequence[str] = (), workers: int | None = None, limit: int = 20
) -> list[Problem]:
    """Open every labelled, unlabelled, validation and test file, print a summary and every problem.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        options: ``key=value`` changes of the config.
        workers: Processes; None takes one per core, 0 none beside this one.
        limit: Problems of a kind that are printed; 0 prints all.

    Returns:
        The warnings.

    Raises:
        UserError: If data is missing, or after everything was printed if there were errors.
    """
    cfg = load_config(config, options)
    check_data_is_there(cfg)
    sources, problems = find_sources(cfg)
    reports = inspect_sources(sources, workers)
    problems += [problem for report in reports for problem in report.problems]
    problems += set_problems(reports, classes_of(sources))
    print(summary(reports, sources))
    print_problems(problems, limit)
    errors = sum(problem.is_error for problem in problems)
    if errors:
        raise UserError(f'{errors} error(s) in the data of {config}; they are listed above')
    return problems


def check_quickly(cfg: Config) -> list[Problem]:
    """What can be found without opening every file: see :func:`quick_problems`."""
    sources, problems = find_sources(cfg)
    return problems + quick_problems(sources)


def quick_problems(sources: Sequence[Source], files: int = 3) -> list[Problem]:
    """Images without masks, images in two parts by their path, and whatever is wrong with the first ``files`` of each."""
    problems = shared_path_problems(sources)
    reports: list[FileReport] = []
    for source in sources:
        missing = missing_file_problems(source)
        problems += missing
        reports += [] if missing else [inspect_file(source, info) for info in source.infos[:files]]
    problems += [problem for report in reports for problem in report.problems]
    # So few masks may hold 0 and 255 alone although 255 is used on purpose: warnings.
    return problems + [problem._replace(is_error=False) for problem in binary_mask_problems(reports)]


def check_before_training(cfg: Config) -> list[str]:
    """:func:`check_quickly` as the first thing that training does, in the first process.

    Returns:
        One line per kind of warning.

    Raises:
        UserError: With all errors.
    """
    if int(os.environ.get('RANK', 0)) != 0:
        return []
    absent = dict.fromkeys(path for path, _, _ in missing_data(cfg, ('test_dataloader',)))
    if absent:  # training does without
        cfg = cfg.copy()
        cfg.test_dataloader = None
    problems = check_quickly(cfg)
    problems += [Problem('no test data', TEST, path, 'a file or folder', 'nothing', False) for path in absent]
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        listed = '\n'.join(f'  - {line}' for line in by_kind(errors, 5))
        raise UserError(
            f'the data cannot be trained on:\n{listed}\nEvery file is looked at by: python tools/check_dataset.py CONFIG'
        )
    return list(by_kind(problems, 1))


def by_kind(problems: Sequence[Problem], limit: int) -> Iterator[str]:
    """Up to ``limit`` lines for each kind of problem; the last says how many more there are."""
    for kind in dict.fromkeys(problem.kind for problem in problems):
        of_kind = [problem for problem in problems if problem.kind == kind]
        more = f' (and {len(of_kind) - limit} more)' if len(of_kind) > limit else ''
        lines = [f'{kind}: {problem}' for problem in of_kind[:limit]]
        yield from [*lines[:-1], lines[-1] + more]


# -- which files -----------------------------------------------------------------------------------------------------


def part_configs(cfg: Config) -> Iterator[tuple[str, str, dict]]:
    """Part, config key and config of each data set inside wrappers; not a test set that is the validation set."""
    loaders = {name: (cfg.get(f'{name}_dataloader') or {}).get('dataset') for name in ('train', 'val', 'test')}
    train = loaders['train']
    if train is not None:
        sampler = (cfg.train_dataloader.get('sampler') or {}).get('type')
        if sampler == 'LabeledUnlabeledSampler' and len(train.get('datasets', ())) == 2:
            for index, part in enumerate((LABELED, UNLABELED)):
                for leaf in leaf_configs(train['datasets'][index]):
                    yield part, f'train_dataloader.dataset.datasets[{index}]', leaf
        else:
            yield from ((LABELED, 'train_dataloader.dataset', leaf) for leaf in leaf_configs(train))
    if loaders['test'] == loaders['val']:
        loaders['test'] = None
    for part, name in ((VALIDATION, 'val'), (TEST, 'test')):
        if loaders[name] is not None:
            yield from ((part, f'{name}_dataloader.dataset', leaf) for leaf in leaf_configs(loaders[name]))


def find_sources(cfg: Config) -> tuple[list[Source], list[Problem]]:
    """List the files of all data sets, without opening any."""
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    sources, problems = [], []
    for part, key, config in part_configs(cfg):
        try:
            source = find_source(part, key, config)
        except Exception as error:  # whatever a data set class raises
            reason = str(error) or type(error).__name__
            problems.append(Problem('data set cannot be listed', part, key, f'a {config.get("type")}', reason))
            continue
        if source.rules.mask_step and not source.classes:
            expected = 'metainfo=dict(classes=(...)), or a data set class that has them'
            problems.append(Problem('no classes', part, key, expected, 'none'))
            source = source._replace(rules=replace(source.rules, mask_step=None))
        problems += mask_rule_problems(source)
        if not source.infos:
            problems.append(
                Problem('no images', part, key, 'at least one image', 'none; check data_prefix and suffixes')
            )
        for mask in source.orphans:
            problems.append(Problem('mask without image', part, mask, 'an image of that name', 'none', False))
        sources.append(source)
    if (
        cfg.get('test_dataloader')
        and cfg.get('val_dataloader')
        and cfg.test_dataloader.dataset == cfg.val_dataloader.dataset
    ):
        count = sum(len(source.infos) for source in sources if source.part == VALIDATION)
        problems.append(same_evaluation_problem(count, 'test_dataloader.dataset'))
    return sources, problems


def mask_rule_problems(source: Source) -> Iterator[Problem]:
    """Masks where there must be none, or none where there must be some."""
    opened = source.rules.mask_step
    if source.part == UNLABELED and opened:
        expected = f'no {opened["type"]} in its pipeline and no data_prefix.seg_map_path'
        yield Problem('unlabelled part opens masks', source.part, source.key, expected, 'masks that would be opened')
    expected = 'LoadAnnotations in its pipeline, and data_prefix.seg_map_path'
    if source.part == VALIDATION and not opened:
        yield Problem('no masks', source.part, source.key, expected, 'images alone: there is nothing to score by')
    # Masks that a transform of the user's own opens are in the listing all the same.
    if source.part == LABELED and source.infos and not any(info.get('seg_map_path') for info in source.infos):
        yield Problem('no masks', source.part, source.key, expected, 'images alone: there is nothing to learn from')


def find_source(part: str, key: str, config: dict) -> Source:
    """List the files of one data set."""
    steps = [node for _, node in walk_dicts(config.get('pipeline', []))]
    image_step = next(
        (step for step in steps if str(step.get('type')).startswith('Load')), dict(type='LoadImageFromFile')
    )
    mask_step = next((step for step in steps if loads_labels(str(step.get('type')))), None)
    dataset = build_listing(config)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if not any('seg_map_path' in info for info in infos):
        mask_step = None
    classes = tuple(dataset.metainfo.get('classes') or ())
    labels = LabelRules(
        num_classes=len(classes),
        ignore_index=getattr(dataset, 'ignore_index', 255),
        reduce_zero_label=bool(getattr(dataset, 'reduce_zero_label', False)),
        label_map=getattr(dataset, 'label_map', None),
    )
    orphans = orphaned_masks(dataset, infos) if mask_step else []
    return Source(
        part, key, classes, FileRules(labels, dict(image_step), mask_step and dict(mask_step)), infos, orphans
    )


def orphaned_masks(dataset: object, infos: Sequence[dict]) -> list[str]:
    """Masks without an image, where the data set takes all images of its folder."""
    folder = (getattr(dataset, 'data_prefix', None) or {}).get('seg_map_path')
    suffix = getattr(dataset, 'seg_map_suffix', None)
    images = (getattr(dataset, 'data_prefix', None) or {}).get('img_path')
    if getattr(dataset, 'ann_file', '') or not folder or not suffix or folder == images or not os.path.isdir(folder):
        return []
    known = {os.path.normpath(info['seg_map_path']) for info in infos}
    found = (
        os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names if name.endswith(suffix)
    )
    return sorted(path for path in found if os.path.normpath(path) not in known)


def classes_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """Names of the classes of the labelled part."""
    return next((source.classes for source in sources if source.part == LABELED and source.classes), ())


# -- without opening them --------------------------------------------------------------------------------------------


def missing_file_problems(source: Source) -> list[Problem]:
    """Images and masks that the data set names and that are not there."""
    problems = []
    exists = ExistingFiles()
    for info in source.infos:
        if not exists(info['img_path']):
            problems.append(missing_image(source.part, info['img_path']))
        if source.rules.mask_step and not exists(info['seg_map_path']):
            problems.append(missing_mask(source.part, info['img_path'], info['seg_map_path']))
    return problems


class ExistingFiles:
    """``os.path.exists`` for many files of few folders: each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, set[str]] = {}

    def __call__(self, path: str) -> bool:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
        return name in self._folders[folder]


def missing_image(part: str, path: str) -> Problem:
    """An image that is not there; lists with suffixes are the usual reason."""
    suffix = Path(path).suffix
    twice = suffix and Path(path).stem.endswith(suffix)
    hint = f'no such file: the lines of ann_file are names without {suffix}' if twice else 'no such file'
    return Problem('missing image', part, path, 'an image', hint)


def missing_mask(part: str, image: str, mask: str) -> Problem:
    """An image without its mask."""
    return Problem('missing pair', part, image, f'its mask {mask}', 'no such file')


def shared_path_problems(sources: Sequence[Source]) -> list[Problem]:
    """Images that are in two parts by their path, links followed."""
    files: dict[str, dict[str, list[str]]] = {}
    for source in sources:
        for info in source.infos:
            files.setdefault(real_path(info['img_path']), {}).setdefault(source.part, []).append(info['img_path'])
    return [problem for by_part in files.values() for problem in shared_file_problems(by_part)]


# -- one file --------------------------------------------------------------------------------------------------------


def inspect_file(source: Source, info: dict) -> FileReport:
    """Open one image and its mask."""
    return inspect_pair(source.part, source.rules, info)


def inspect_pair(part: str, rules: FileRules, info: dict) -> FileReport:
    """Open one image and its mask.

    Args:
        part: Where they belong.
        rules: How they are read.
        info: ``img_path`` and, with masks, ``seg_map_path``.
    """
    report = FileReport(part, info['img_path'], info.get('seg_map_path') if rules.mask_step else None)
    report.problems += image_problems(report, rules.image_step, info)
    if report.mask is not None:
        report.problems += mask_problems(report, rules, info)
    return report


def image_problems(report: FileReport, step: dict, info: dict) -> Iterator[Problem]:
    """Read the image, note in the report what it is."""
    if not os.path.exists(report.image):
        yield missing_image(report.part, report.image)
        return
    try:
        image = read_image(step, info)
    except Exception as error:  # a decoder may raise anything on a damaged file
        yield Problem('unreadable', report.part, report.image, 'a readable image', _reason(error, report.image))
        return
    report.size, report.grey, report.digest = image.shape[:2], is_grey(image), pixel_digest(image)
    if step.get('type') in ORDINARY_IMAGES:
        found = depth_problem(image, step.get('bit_depth'), step.get('percentiles'))
        if found:
            yield Problem('dark 16-bit image', report.part, report.image, *found, False)


def mask_problems(report: FileReport, rules: FileRules, info: dict) -> Iterator[Problem]:
    """Read the mask, note in the report what it shows."""
    if not os.path.exists(report.mask):
        yield missing_mask(report.part, report.image, report.mask)
        return
    try:
        mask, is_mapped = read_mask(rules.mask_step, info)
    except Exception as error:  # as above
        yield Problem('unreadable', report.part, report.mask, 'a readable mask', _reason(error, report.mask))
        return
    wrong_size = size_problem(report.size, mask.shape) if report.digest is not None else None
    if wrong_size:
        yield Problem('size mismatch', report.part, report.mask, *wrong_size)
    if mask.ndim != 2:
        return
    labels = rules.labels
    report.values = count_values(mask)
    own = LabelRules(labels.num_classes, labels.ignore_index) if is_mapped else labels
    report.classes, unknown = count_classes(report.values, own)
    if unknown:
        values = f'{sorted(unknown)[:8]}{" ..." if len(unknown) > 8 else ""}'
        found = f'{values} in {sum(unknown.values())} of {mask.size} pixels'
        yield Problem('value outside the classes', report.part, report.mask, own.allowed(), found)
    elif report.classes.keys() <= {labels.ignore_index}:
        raw = sorted(report.values)
        yield Problem(
            'all-ignore mask', report.part, report.mask, 'pixels of a class', f'only ignored pixels (values {raw})'
        )


def read_image(step: dict, info: dict) -> np.ndarray:
    """Pixels of an image, (h, w, c), in the depth of the file; by the transform itself where it is not an ordinary one."""
    if step.get('type') not in ORDINARY_IMAGES:
        return Compose([step])(dict(info))['img']
    path = Path(info['img_path'])
    check_image_is_whole(path)
    image = decode_color(path.read_bytes())
    if step.get('type') == 'LoadImageAsUint8':
        to_uint8(image, step.get('bit_depth'), step.get('percentiles'))  # raises what training would
    elif image.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f'pixels of type {image.dtype}, which LoadImageFromFile cannot open; LoadImageAsUint8 opens floats in [0, 1], '
            'with percentiles=(1, 99) any'
        )
    return image


def read_mask(step: dict, info: dict) -> tuple[np.ndarray, bool]:
    """Values of a mask, (h, w), and whether they are classes already: by the transform itself where it is not MMSeg's."""
    if step.get('type') not in ORDINARY_MASKS:
        return Compose([step])({**info, 'seg_fields': []})['gt_seg_map'], True
    backend = step.get('imdecode_backend', 'pillow')
    mask = mmcv.imfrombytes(Path(info['seg_map_path']).read_bytes(), flag='unchanged', backend=backend)
    if mask is None:
        raise ValueError('not a readable image')
    mask = mask.squeeze()
    return (mask.astype(np.uint8) if mask.dtype == bool else mask), False


def _reason(error: Exception, file: str) -> str:
    if not os.path.getsize(file):
        return 'an empty file'
    return ' '.join(str(error).split())[:160] or type(error).__name__


# -- all files -------------------------------------------------------------------------------------------------------


def inspect_sources(sources: Sequence[Source], workers: int | None = None) -> list[FileReport]:
    """Open all files, in several processes, under a progress bar."""
    workers = os.cpu_count() if workers is None else workers
    reports: list[FileReport] = []
    with pool(workers) as processes:
        for source in sources:
            inspect = partial(inspect_pair, source.part, source.rules)
            done = (
                map(inspect, source.infos) if processes is None else processes.imap(inspect, source.infos, chunksize=16)
            )
            reports += progress(done, f'{source.part} ({source.key})', total=len(source.infos))
    return reports


@contextmanager
def pool(workers: int) -> Iterator[Any]:
    """Processes that decode images, or None.

    OpenCV's own threads are ended before: processes that are forked beside them may wait for them for ever.
    """
    if workers < 1:
        yield None
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else None
    try:
        with multiprocessing.get_context(method).Pool(workers) as processes:
            yield processes
    finally:
        cv2.setNumThreads(threads)


def summary(reports: Sequence[FileReport], sources: Sequence[Source]) -> PrettyTable:
    """One row per part: images, sizes, colour, and for each class the share of the pixels that count."""
    classes = classes_of(sources)
    shown = classes if len(classes) <= 12 else ()
    table = PrettyTable(['part', 'images', 'masks', 'sizes', 'grey', *shown])
    table.align = 'r'
    table.align['part'] = 'l'
    for part in (LABELED, UNLABELED, VALIDATION, TEST):
        own = [report for report in reports if report.part == part]
        if not own:
            continue
        counts = [sum(report.classes.get(index, 0) for report in own) for index in range(len(shown))]
        total = sum(counts)
        shares = [f'{100 * count / total:.2f} %' if total else '-' for count in counts]
        sizes = {report.size for report in own if report.digest is not None}
        grey = sum(report.grey for report in own if report.digest is not None)
        masks = sum(bool(report.values) for report in own)
        table.add_row([part, len(own), masks, _sizes(sizes), grey, *shares])
    return table


def _sizes(sizes: set[tuple[int, int]]) -> str:
    if len(sizes) <= 1:
        return ''.join(f'{height} x {width}' for height, width in sizes) or '-'
    (low, high), (left, right) = ((min(values), max(values)) for values in zip(*sizes))
    return f'{low} to {high} x {left} to {right}'


def print_problems(problems: Iterable[Problem], limit: int) -> None:
    """Errors, then warnings, grouped by kind."""
    problems = list(problems)
    for is_error, title in ((True, 'errors'), (False, 'warnings')):
        own = [problem for problem in problems if problem.is_error == is_error]
        print(f'{len(own)} {title}' + (':' if own else ''))
        for kind in dict.fromkeys(problem.kind for problem in own):
            of_kind = [problem for problem in own if problem.kind == kind]
            print(f'  {kind}: {len(of_kind)}')
            shown = of_kind[:limit] if limit else of_kind
            print('\n'.join(f'    - {problem}' for problem in shown))
            if len(of_kind) > len(shown):
                print(f'    - and {len(of_kind) - len(shown)} more; --limit 0 prints all')
