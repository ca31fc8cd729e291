"""The labelled and the unlabelled data set of a config, from what the user writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils import UserError
from ..utils.config_tree import inner_configs, is_wrapper, leaf_configs, type_name, walk_steps
from .defaults import class_of, default_argument
from .labeled_part import restricted
from .unlabeled_folder import UnlabeledFolderDataset
from .unlabeled_pipeline import (
    loads_labels,
    steps_that_need_masks,
    unlabeled_changes,
    unlabeled_pipeline,
)

KEY = 'train_dataloader.dataset'


def labeled_and_unlabeled(
    labeled: dict,
    unlabeled: str | dict | Sequence[str | dict] | None = None,
    split: str | None = None,
    exclude: Sequence[dict] = (),
    labeled_part: str | Sequence[str] | None = None,
) -> tuple[dict, dict]:
    """Configs of the labelled and the unlabelled data set. See :class:`LabeledUnlabeledDataset`.

    The names in a ``labeled_part`` that is a folder are looked at, and no other file.
    """
    if not isinstance(labeled, dict) or 'type' not in labeled:
        raise UserError(f'{KEY}.labeled must be the config of a data set, got {labeled!r}')
    if (unlabeled is None) == (split is None):
        raise UserError(
            f'{KEY}: give either unlabeled, a folder or the config of a source, or split, what _labeled.txt and '
            f'_unlabeled.txt are put behind; got {"neither" if split is None else "both"}'
        )
    if name_of(labeled) == 'RepeatDataset':
        labeled = labeled['dataset']
    if labeled_part is not None:
        if split is not None:
            raise UserError(f'{KEY}: split and labeled_part both say what is labelled; give one of them')
        labeled = restricted(labeled, listed(labeled_part), f'{KEY}.labeled_part')
    if split is not None:
        if is_wrapper(labeled):
            raise UserError(
                f'{KEY}.split names two lists of one data set, and {KEY}.labeled is a {name_of(labeled)}; give unlabeled'
            )
        labeled, unlabeled = {**labeled, 'ann_file': f'{split}_labeled.txt'}, dict(ann_file=f'{split}_unlabeled.txt')
    outer, leaf = pipeline_owners(labeled)
    steps = [*leaf['pipeline'], *(outer or {}).get('pipeline', ())]
    dropped = steps_that_need_masks(steps)
    sources = [source_config(source, labeled, leaf, dropped, exclude) for source in listed(unlabeled)]
    if not sources:
        raise UserError(f'{KEY}.unlabeled is an empty list; give one folder or config of a source at least')
    derived = sources[0] if len(sources) == 1 else dict(type='UnequalConcatDataset', datasets=sources)
    if outer is not None:
        pipeline = unlabeled_pipeline(outer['pipeline'], dropped, unlabeled_changes(outer['pipeline'], any_depth=False))
        derived = {**outer, 'dataset': derived, 'pipeline': pipeline}
    return labeled, derived


def pipeline_owners(labeled: dict) -> tuple[dict | None, dict]:
    """The outermost wrapper that has a pipeline, if any, and the first data set inside the wrappers.

    Raises:
        UserError: If another wrapper has a pipeline, or no step of the inner one loads masks.
    """
    outer, inner = None, labeled
    if name_of(labeled) == 'MultiImageMixDataset':
        outer, inner = labeled, labeled['dataset']
    while is_wrapper(inner):
        if 'pipeline' in inner:
            raise UserError(
                f'{KEY}: {name_of(inner)} has a pipeline of its own and wraps another data set; only '
                'MultiImageMixDataset may, and outermost'
            )
        inner = inner_configs(inner)[0]
    if not steps_that_need_masks(inner.get('pipeline') or []):
        raise UserError(f'{KEY}: the pipeline has no LoadAnnotations, so nothing is labelled')
    return outer, inner


def source_config(
    source: str | dict, labeled: dict, leaf: dict, dropped: Sequence[str], exclude: Sequence[dict]
) -> dict:
    """Config of one unlabelled data set.

    Args:
        source: A folder or a config.
        labeled: Config of the labelled data set.
        leaf: The data set inside it.
        dropped: Types of the steps that need a mask.
        exclude: Data sets whose images are not to be taken from a folder.
    """
    if isinstance(source, str | Path):
        source = dict(type=UnlabeledFolderDataset.__name__, data_root=str(source))
    if not isinstance(source, dict):
        raise UserError(f'{KEY}.unlabeled must be a folder, the config of a source, or a list of these, got {source!r}')
    if is_wrapper(source):
        raise UserError(f'{KEY}.unlabeled is a {name_of(source)}; give the data sets inside it, several as a list')
    if 'type' not in source:
        if len(leaf_configs(labeled)) > 1:
            raise UserError(
                f'{KEY}.unlabeled has no type, and the labelled images are of several data sets: name its type'
            )
        source = {**leaf, 'pipeline': None, **source}
    changed = dict(source)
    is_folder = is_kind(source, UnlabeledFolderDataset)
    if is_folder:
        changed['exclude'] = [*source.get('exclude', ()), labeled, *exclude]
        if not source.get('suffixes') and (suffixes := suffixes_of(leaf)):
            changed['suffixes'] = suffixes
    else:
        prefix: Any = source.get('data_prefix') or default_argument(class_of(source), 'data_prefix')
        if prefix:
            changed['data_prefix'] = {key: path for key, path in prefix.items() if key != 'seg_map_path'}
    if not has_own_pipeline(source):
        changes = unlabeled_changes(leaf['pipeline'], any_depth=is_folder)
        changed['pipeline'] = unlabeled_pipeline(leaf['pipeline'], dropped, changes)
        return changed
    opening = [str(step['type']) for step in walk_steps(source['pipeline']) if loads_labels(str(step.get('type')))]
    if opening:
        raise UserError(
            f'{KEY}.unlabeled: its pipeline has {", ".join(opening)}, so masks would be opened; remove it, or leave the '
            'pipeline out: then it is that of the labelled images without what needs a mask'
        )
    return changed


def suffixes_of(leaf: dict) -> list[str]:
    """Suffix of files that are no ordinary images, such as ``.npy``; empty where the pipeline reads ordinary ones."""
    if any(step.get('type') in ('LoadImageFromFile', 'LoadImageAsUint8') for step in leaf['pipeline']):
        return []
    suffix = leaf.get('img_suffix') or default_argument(class_of(leaf), 'img_suffix')
    return [Path(suffix).suffix or suffix] if isinstance(suffix, str) else []


def listed(unlabeled: object) -> list:
    """The sources, one by one."""
    return list(unlabeled) if isinstance(unlabeled, list | tuple) else [unlabeled]


def has_own_pipeline(source: object) -> bool:
    """Whether the user wrote the pipeline of a source."""
    return isinstance(source, dict) and source.get('pipeline') is not None


def labeled_key(labeled: dict) -> str:
    """Where what is trained on stands below the data set's key: inside an outermost ``RepeatDataset``."""
    return 'labeled.dataset' if name_of(labeled) == 'RepeatDataset' else 'labeled'


def own_pipeline_keys(unlabeled: object) -> list[str | None]:
    """Of each source, where the pipeline stands that the user wrote for it; None where it is derived.

    Example:
        >>> own_pipeline_keys(['folder', dict(type='A', pipeline=[])])
        [None, 'unlabeled[1].pipeline']
    """
    is_one = not isinstance(unlabeled, list | tuple)
    keys = ['unlabeled' if is_one else f'unlabeled[{index}]' for index in range(len(listed(unlabeled)))]
    return [f'{key}.pipeline' if has_own_pipeline(one) else None for key, one in zip(keys, listed(unlabeled))]


def name_of(config: dict) -> str:
    """Name of a config's class, however it is written."""
    kind = config.get('type')
    return type_name(kind if isinstance(kind, type) else str(kind))


def is_kind(config: dict, kind: type) -> bool:
    """Whether a config is of a class, however it is written."""
    return name_of(config) == kind.__name__
