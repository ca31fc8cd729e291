"""Metrics and the score that chooses checkpoints, as the config of a training names them."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from difflib import get_close_matches

from mmengine.config import Config

from ...datasets.defaults import class_of
from ...deploy.stock_config import number_of_branches
from ...evaluation.defect_iou_metric import SUMMARY
from ...utils.config_tree import leaf_configs, type_name

IOU_METRICS = dict(mIoU=('mIoU',), mDice=('mDice',), mFscore=('mFscore', 'mPrecision', 'mRecall'))


def evaluators(cfg: Config, split: str = 'val') -> dict[str, MutableMapping]:
    """The configs of metrics in ``val_evaluator`` by key: one, a list, or the ``metrics`` of an evaluator."""
    key = f'{split}_evaluator'
    found = cfg.get(key)
    if isinstance(found, Mapping) and 'metrics' in found:
        key, found = f'{key}.metrics', found['metrics']
    keyed = {f'{key}[{i}]': one for i, one in enumerate(found)} if isinstance(found, list | tuple) else {key: found}
    return {key: one for key, one in keyed.items() if isinstance(one, MutableMapping)}


def metric_problems(cfg: Config) -> Iterator[str]:
    """Metrics that MMSegmentation refuses when the first validation ends."""
    for key, evaluator in evaluators(cfg).items():
        if 'type' not in evaluator:
            yield f"{key} has no type; it is dict(type='DefectIoUMetric') or another metric, got {dict(evaluator)}"
        metrics = evaluator.get('iou_metrics') or ()
        for metric in [metrics] if isinstance(metrics, str) else metrics:
            if metric not in IOU_METRICS:
                yield f'{key}.iou_metrics: {metric!r} is not known; choose from {", ".join(IOU_METRICS)}'


def ignore_index_problems(cfg: Config) -> Iterator[str]:
    """A value that does not count in the masks of a data set, and that its metric takes for a class."""
    for split in ('val', 'test'):
        loader = cfg.get(f'{split}_dataloader') or {}
        if not isinstance(loader.get('dataset'), Mapping):
            continue
        of_data = [dataset['ignore_index'] for dataset in leaf_configs(loader['dataset']) if 'ignore_index' in dataset]
        for key, evaluator in evaluators(cfg, split).items():
            of_metric = evaluator.get('ignore_index', 255)
            other = [value for value in of_data if value != of_metric]
            if type_name(evaluator.get('type', '')) in ('IoUMetric', 'DefectIoUMetric') and other:
                yield (
                    f'{split}_dataloader.dataset.ignore_index={other[0]}, but {key}.ignore_index={of_metric}: pixels with '
                    f'{other[0]} would be scored; make them equal'
                )


def known_scores(evaluator: Mapping) -> set[str] | None:
    """The scores of a metric as they are called in the log, but those of classes and branches; None for foreign metrics."""
    metrics = evaluator.get('iou_metrics') or ('mIoU',)
    names = {
        name for metric in ([metrics] if isinstance(metrics, str) else metrics) for name in IOU_METRICS.get(metric, ())
    }
    stock = {'aAcc', 'mAcc', *names}
    kinds = dict(IoUMetric=stock, DefectIoUMetric={*stock, *SUMMARY, 'defective_images', 'defect_free_images'})
    return kinds.get(type_name(evaluator.get('type', '')))


def save_best_problems(cfg: Config) -> Iterator[str]:
    """A score to choose checkpoints by that no metric gives."""
    wanted = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    metrics = evaluators(cfg).values()
    scores = [known_scores(evaluator) for evaluator in metrics]
    if wanted in (None, 'auto') or not scores or None in scores:
        return
    known = {name for names in scores for name in names or ()}
    detailed = any(type_name(evaluator.get('type', '')) == 'DefectIoUMetric' for evaluator in metrics)
    prefixes = [evaluator.get('prefix') for evaluator in metrics if evaluator.get('prefix')]
    for name in wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]:
        plain = str(name)
        for prefix in prefixes:
            plain = plain.removeprefix(f'{prefix}/')
        kind, _, rest = plain.partition('.')
        if plain in known:
            continue
        if detailed and kind in ('IoU', 'missed'):
            problem = class_problem(cfg, kind, rest)
        elif detailed and kind.startswith('branch_'):
            problem = branch_problem(cfg, kind, rest)
        else:
            meant = get_close_matches(plain, known, 1)
            problem = f'did you mean {meant[0]}?' if meant else f'choose from {", ".join(sorted(known))}'
        if problem:
            yield f'default_hooks.checkpoint.save_best={name!r} is no score of val_evaluator; {problem}'


def class_problem(cfg: Config, kind: str, name: str) -> str:
    """What is wrong with a score of one class; empty where nothing is, or where a config alone does not name the classes."""
    classes = validation_classes(cfg)
    if classes is None:
        return ''
    known = classes[1:] if kind == 'missed' else classes  # nobody misses the background
    return '' if name in known else f'val_dataloader.dataset has {", ".join(f"{kind}.{one}" for one in known)}'


def branch_problem(cfg: Config, branch: str, score: str) -> str:
    """What is wrong with a score of one branch; empty where nothing is."""
    count = number_of_branches(cfg.model)
    known = [f'branch_{index}' for index in range(count)]
    if branch not in known:
        return f'the model has {", ".join(known) or "no branches"}'
    if score not in SUMMARY:
        return f'of a branch there are {", ".join(SUMMARY)}'
    options = cfg.model.get('test_cfg') or {}
    return (
        '' if options.get('branch_predictions') else 'branches are scored with model.test_cfg.branch_predictions=True'
    )


def validation_classes(cfg: Config) -> Sequence[str] | None:
    """Names of the classes of the validation set, from its config or its class; None where a file has them."""
    loader = cfg.get('val_dataloader') or {}
    if not isinstance(loader.get('dataset'), Mapping):
        return None
    dataset = leaf_configs(loader['dataset'])[0]
    known = getattr(class_of(dataset), 'METAINFO', None) or {}
    classes = (dataset.get('metainfo') or {}).get('classes') or known.get('classes')
    return None if classes is None or isinstance(classes, str) else classes
