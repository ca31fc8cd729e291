"""Heads that have another number of classes than the data set: read from the config, nothing is built."""

from collections.abc import Iterator, Sequence

from mmengine.config import Config

from ...utils.config_tree import type_name, walk_dicts
from .inspection import LABELED, Problem

HEADS = {'decode_head', 'auxiliary_head'}
NAMED = 12  # classes that a message lists


def class_count_problems(cfg: Config, classes: Sequence[str], key: str) -> Iterator[Problem]:
    """What each head states as its ``num_classes`` against the classes of the data set.

    An error where a head has fewer: the first mask with the last class ends a training. A warning where it has more, but an
    error of a semi-supervised model, and where :class:`DefectIoUMetric` scores: they take what is predicted for a class.

    Args:
        cfg: The whole config.
        classes: Names of the classes of the labelled images.
        key: Of their data set in the config.
    """
    model = cfg.get('model') or {}
    is_semi = not {'branch', 'branches'}.isdisjoint(model)
    must_equal = is_semi or any(is_type(node, 'DefectIoUMetric') for _, node in walk_dicts(cfg.get('val_evaluator')))
    count = len(classes)
    named = ', '.join(classes[:NAMED]) + (', ...' if count > NAMED else '')
    for path, number in stated_class_counts(model):
        # A plain head with one output and a sigmoid tells two classes apart.
        if number == count or not count or (number == 1 and count == 2 and not is_semi):
            continue
        expected = f'{count}, as {key} has {count} classes (metainfo.classes: {named})'
        yield Problem('number of classes', LABELED, path, expected, str(number), number < count or must_equal)


def stated_class_counts(model: dict) -> Iterator[tuple[str, int]]:
    """Config key and value of each ``num_classes`` of a decode or auxiliary head, and of heads inside these.

    STDC's head for edges is passed over: it is meant to have other classes than the data set.

    Example:
        >>> heads = [dict(type='FCNHead', num_classes=4), dict(type='STDCHead', num_classes=2)]
        >>> list(stated_class_counts(dict(branch=dict(decode_head=heads))))
        [('model.branch.decode_head.0.num_classes', 4)]
    """
    for path, node in walk_dicts(model, 'model'):
        number = node.get('num_classes')
        if isinstance(number, int) and not HEADS.isdisjoint(path.split('.')) and not is_type(node, 'STDCHead'):
            yield f'{path}.num_classes', number


def is_type(node: dict, name: str) -> bool:
    """Whether a config is of a class of a name, whatever its scope."""
    return type_name(node.get('type', '')) == name
