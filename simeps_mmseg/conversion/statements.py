"""What a semi-supervised config says over the supervised one that it inherits, statement by statement."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmseg.registry import DATASETS

from ..evaluation.functional import DECIDING
from ..utils import UserError
from ..utils.config_tree import without_pipelines
from .python_source import Expression, code
from .schedule import EpochSchedule, iteration_based

LAYER_DECAY = ('LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor')


class Statement(NamedTuple):
    """``name = value`` under a comment, which may be empty."""

    name: str
    value: object
    comment: str = ''

    def text(self) -> str:
        """The lines of a config."""
        lines = [f'# {line}' for line in self.comment.splitlines()]
        return '\n'.join([*lines, f'{self.name} = {code(self.value)}'])


def inheritance(base: Config, bases: Sequence[str]) -> Iterator[Statement]:
    """Bases and imports."""
    yield Statement('_base_', list(bases))
    imports = (base.get('custom_imports') or {}).get('imports') or []
    imports = [imports] if isinstance(imports, str) else list(imports)
    if 'simeps_mmseg' not in imports:
        yield Statement('custom_imports', dict(imports=[*imports, 'simeps_mmseg']))
    if not base.get('default_scope'):
        yield Statement('default_scope', 'mmseg')


def model(base: Config, start: Path | None) -> Iterator[Statement]:
    """The wrapped model, the hooks of the method, the weights to start from."""
    yield Statement(
        'model',
        Expression('dict(_delete_=True, branch=_base_.model, **_base_.semi_model)'),
        'Each branch is the network of the supervised config, with its losses. Options: docs/methods.md.',
    )
    own = '*_base_.custom_hooks, *' if base.get('custom_hooks') else ''
    yield Statement('custom_hooks', Expression(f'[{own}_base_.semi_hooks]' if own else '_base_.semi_hooks'))
    if start:
        comment = 'The trained network that every branch starts from; training never ends below it on validation.'
        yield Statement('load_from', str(start), comment)


def loader(base: Config, labeled: str, unlabeled: str | dict, excluded: Sequence[str]) -> Iterator[Statement]:
    """Batches with as many unlabelled images as the supervised config has labelled ones.

    Args:
        base: The supervised config.
        labeled: Expression of the labelled data set.
        unlabeled: The folder, or the config of a source.
        excluded: Expressions of the data sets whose images are not to be unlabelled ones.
    """
    batch = base.train_dataloader.get('batch_size', 1)
    number = max(2, batch)
    before = 'as before' if batch >= 2 else 'before: 1, too few to compare'
    dataset = dict(_delete_=True, type='LabeledUnlabeledDataset', labeled=Expression(labeled), unlabeled=unlabeled)
    if excluded:
        dataset['exclude'] = [Expression(one) for one in excluded]
    sampler = dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled=number, num_unlabeled=number)
    own_batches = dict(batch_sampler=None) if base.train_dataloader.get('batch_sampler') else {}
    yield Statement(
        'train_dataloader',
        dict(batch_size=2 * number, **own_batches, sampler=sampler, dataset=dataset),
        f'Per step and process {number} labelled images ({before}) and as many unlabelled ones.',
    )


def scores(base: Config) -> Iterator[Statement]:
    """The same scores of each branch, where they are MMSegmentation's own."""
    comment = 'Also the scores of each branch, which tell tools/export.py the best one.'
    for key in ('val_evaluator', 'test_evaluator'):
        metric = base.get(key)
        if isinstance(metric, dict) and metric.get('type') == 'IoUMetric':
            yield Statement(key, dict(type='DefectIoUMetric'), comment)
        elif isinstance(metric, (list, tuple)) and any(one.get('type') == 'IoUMetric' for one in metric):
            own = [f'_base_.{key}[{index}]' for index in range(len(metric))]
            parts = [
                Expression(f"dict({name}, type='DefectIoUMetric')" if one.get('type') == 'IoUMetric' else name)
                for name, one in zip(own, metric)
            ]
            yield Statement(key, parts, comment)
        else:
            continue
        comment = ''


def schedule(base: Config) -> Iterator[Statement]:
    """What keeps the best weights; and, where the schedule counts epochs, the same schedule in iterations."""
    constructor = base.optim_wrapper.get('constructor')
    if constructor in LAYER_DECAY:
        comment = 'The same learning rates by depth, in each branch.'
        yield Statement('optim_wrapper', dict(constructor=f'Branch{constructor}'), comment)
    best = best_checkpoint(base)
    if EpochSchedule.counts_epochs(base.get('train_cfg') or {}):
        converted = iteration_based(base, steps_of_an_epoch(base))
        hook = converted.changes['default_hooks']['checkpoint']
        hook.update({**best, **hook})  # its own interval, in iterations
        comment = (
            f'There are no epochs in an endless stream: {converted.epochs} epochs of {converted.steps} steps, as the '
            f'supervised config\nhas them on its own training set, are {converted.max_iters} iterations.'
        )
        for key, value in converted.changes.items():
            yield Statement(key, value, comment)
            comment = ''
    elif best:
        comment = 'The best weights on validation are kept, those of labels alone among them.'
        yield Statement('default_hooks', dict(checkpoint=best), comment)


def best_checkpoint(base: Config) -> dict:
    """What is added to the checkpoint hook, so that the best weights by validation are kept."""
    hook = (base.get('default_hooks') or {}).get('checkpoint') or {}
    if hook.get('save_best') or not has_known_scores(base):
        return {}
    interval = (base.get('train_cfg') or {}).get('val_interval', 1000)
    return dict(
        save_best=DECIDING[0], **({} if hook else dict(type='CheckpointHook', by_epoch=False, interval=interval))
    )


def has_known_scores(base: Config) -> bool:
    """Whether the validation has the scores of MMSegmentation's metric or of this package's, under their own names."""
    metrics = base.get('val_evaluator') or []
    metrics = [metrics] if isinstance(metrics, dict) else metrics
    return any(one.get('type') in ('IoUMetric', 'DefectIoUMetric') and not one.get('prefix') for one in metrics)


def notes(base: Config, start: Path | None) -> Iterator[str]:
    """What the user should know."""
    if not start and not base.get('load_from'):
        yield (
            'without --checkpoint the branches start from nothing, and a share of the schedule goes to labels alone '
            '(SemiSupervisedHook.labels_only_share). Better train the supervised config first and give its checkpoint'
        )
    constructor = base.optim_wrapper.get('constructor')
    if constructor not in (None, 'DefaultOptimWrapperConstructor', *LAYER_DECAY):
        yield f'{constructor} sees the names of the parameters with branches.0. and so on before them'
    if base.optim_wrapper.get('clip_grad'):
        yield (
            'optim_wrapper.clip_grad stays as it is and clips the gradient of all branches together; a max_norm larger by '
            'the root of their number (1.7 for three) clips each about as it was clipped alone'
        )
    if not has_known_scores(base) and not ((base.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best'):
        yield (
            'no best checkpoint is kept, as the scores of the validation are not known: set '
            'default_hooks.checkpoint.save_best to keep the best weights'
        )


def steps_of_an_epoch(base: Config) -> int:
    """Steps of one epoch of the supervised config on its own training set.

    Raises:
        UserError: If that cannot be listed.
    """
    loader = base.train_dataloader
    try:
        size = len(DATASETS.build(without_pipelines(loader.dataset)))
    except Exception as error:  # whatever a data set class raises
        raise UserError(
            'the config counts epochs, and how many steps one has is known only with its training set, which cannot be '
            f'listed: {str(error) or type(error).__name__}'
        ) from error
    batch = loader.get('batch_size', 1)
    return max(1, size // batch if loader.get('drop_last') else -(-size // batch))
