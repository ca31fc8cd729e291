"""Which files the data sets of a config are made of, none of them opened."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..utils import UserError
from ..utils.config_tree import leaf_configs, type_name, walk_dicts
from .checks.heads import class_count_problems
from .checks.inspection import LABELED, TEST, UNLABELED, VALIDATION, LabelRules, Problem
from .checks.sets import same_evaluation_problem
from .defaults import class_of, default_argument
from .labeled_unlabeled import LabeledUnlabeledDataset, parts_of
from .labeled_unlabeled_configs import is_kind
from .listing import SampleList, have_masks, paths_of
from .lists import encoding_problem, list_problems
from .renumbering import renumbered_by
from .samplers import LabeledUnlabeledSampler
from .unlabeled_folder import UnlabeledFolderDataset, build_listing
from .unlabeled_pipeline import loads_labels

LISTS = ('', '.list', '.lst', '.txt')  # what other files hold is for their data sets to say


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
    infos: Sequence[dict]
    orphans: list[str]


def part_configs(cfg: Config) -> Iterator[tuple[str, str, dict]]:
    """Part, config key and config of each data set inside wrappers; not a test set that is the validation set."""
    loaders = {name: (cfg.get(f'{name}_dataloader') or {}).get('dataset') for name in ('train', 'val', 'test')}
    train = loaders['train']
    if train is not None:
        for part, key, config in train_parts(train, cfg.train_dataloader.get('sampler') or {}):
            yield from ((part, key, leaf) for leaf in leaf_configs(config))
    if loaders['test'] == loaders['val']:
        loaders['test'] = None
    for part, name in ((VALIDATION, 'val'), (TEST, 'test')):
        dataset = loaders[name]
        if dataset is not None:
            yield from ((part, f'{name}_dataloader.dataset', leaf) for leaf in leaf_configs(dataset))


def train_parts(dataset: dict, sampler: dict) -> list[tuple[str, str, dict]]:
    """Part, config key and config, wrappers included, of what is trained on."""
    key = 'train_dataloader.dataset'
    is_joint = is_kind(dataset, LabeledUnlabeledDataset)
    parts = parts_of(dataset) if is_joint or is_kind(sampler, LabeledUnlabeledSampler) else None
    if parts is None:
        return [(LABELED, key, dataset)]
    names = ('labeled', 'unlabeled') if is_joint else ('datasets[0]', 'datasets[1]')
    return [(part, f'{key}.{name}', config) for part, name, config in zip((LABELED, UNLABELED), names, parts)]


def image_suffixes(cfg: Config) -> list[str]:
    """What the labelled data sets of a config add to the names in their lists, such as ``.jpg``."""
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    leaves = [leaf for part, _, leaf in part_configs(cfg) if part == LABELED]
    found = [leaf.get('img_suffix') or default_argument(class_of(leaf), 'img_suffix') for leaf in leaves]
    return list(dict.fromkeys(suffix for suffix in found if isinstance(suffix, str)))


def find_sources(cfg: Config) -> tuple[list[Source], list[Problem]]:
    """List the files of all data sets, without opening any."""
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    sources: list[Source] = []
    problems: list[Problem] = []
    for part, key, config in part_configs(cfg):
        problems += unreadable_list_problems(part, key, config)
        try:
            source = find_source(part, key, config)
        except Exception as error:  # whatever a data set class raises
            reason = str(error) or type(error).__name__
            expected = 'images' if isinstance(error, UserError) else f'a {config.get("type")}'
            problems.append(Problem('data set cannot be listed', part, key, expected, reason))
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
    problems += share_problems(cfg, sources)
    labeled = next((source for source in sources if source.part == LABELED and source.classes), None)
    if labeled:
        problems += class_count_problems(cfg, labeled.classes, labeled.key)
    if (
        cfg.get('test_dataloader')
        and cfg.get('val_dataloader')
        and cfg.test_dataloader.dataset == cfg.val_dataloader.dataset
    ):
        count = sum(len(source.infos) for source in sources if source.part == VALIDATION)
        problems.append(same_evaluation_problem(count, 'test_dataloader.dataset'))
    return sources, problems


def unreadable_list_problems(part: str, key: str, config: dict) -> Iterator[Problem]:
    """What is wrong with the text of a data set's list."""
    name = config.get('ann_file')
    if not isinstance(name, str) or Path(name).suffix.lower() not in LISTS:
        return
    file = Path(config.get('data_root') or '') / name
    if not file.is_file():
        return
    content = file.read_bytes()
    ours = class_of(config) is UnlabeledFolderDataset  # which reads lists by itself
    found = [encoding_problem(content)] if ours else list_problems(content)
    for cause in filter(None, found):
        yield Problem('list', part, str(file), f'names in UTF-8, one a line ({key}.ann_file)', cause)


def share_problems(cfg: Config, sources: Sequence[Source]) -> Iterator[Problem]:
    """Sources with fewer images than one batch takes of them: the same image would be in it twice."""
    sampler = (cfg.get('train_dataloader') or {}).get('sampler') or {}
    for part, name in ((LABELED, 'num_labeled'), (UNLABELED, 'num_unlabeled')):
        share, own = sampler.get(name), [source for source in sources if source.part == part]
        images = sum(len(source.infos) for source in own)
        if own and isinstance(share, int) and 0 < images < share:
            expected = f'{share} images or more (train_dataloader.sampler.{name}={share})'
            found = f'{images}: a batch holds the same one several times'
            yield Problem('fewer images than a batch takes', part, own[0].key, expected, found, False)


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
    if source.part == LABELED and source.infos and not have_masks(source.infos):
        yield Problem('no masks', source.part, source.key, expected, 'images alone: there is nothing to learn from')


def find_source(part: str, key: str, config: dict) -> Source:
    """List the files of one data set."""
    steps = [node for _, node in walk_dicts(config.get('pipeline', []))]
    typed = [step for step in steps if 'type' in step]
    image_step = next(
        (step for step in typed if not loads_labels(type_name(step['type']))), dict(type='LoadImageFromFile')
    )
    mask_step = next((step for step in typed if loads_labels(type_name(step['type']))), None)
    dataset = build_listing(config)
    samples = getattr(dataset, 'data_list', None)
    infos: Sequence[dict] = (
        samples if isinstance(samples, SampleList) else [dataset.get_data_info(index) for index in range(len(dataset))]
    )
    if not have_masks(infos):
        mask_step = None
    classes = tuple(dataset.metainfo.get('classes') or ())
    labels = LabelRules(
        num_classes=len(classes),
        ignore_index=getattr(dataset, 'ignore_index', 255),
        reduce_zero_label=bool(getattr(dataset, 'reduce_zero_label', False)),
        label_map=getattr(dataset, 'label_map', None) or renumbered_by(config.get('pipeline') or ()),
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
    known = set(map(os.path.normpath, paths_of(infos, 'seg_map_path')))
    found = (
        os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names if name.endswith(suffix)
    )
    return sorted(path for path in found if os.path.normpath(path) not in known)


def classes_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """Names of the classes of the labelled part."""
    return next((source.classes for source in sources if source.part == LABELED and source.classes), ())
