"""The text of a semi-supervised config, section by section."""

import inspect
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ..datasets.unlabeled_pipeline import (
    steps_that_ask_for_masks,
    steps_that_need_masks,
    unlabeled_changes,
    unlabeled_pipeline,
)
from ..evaluation.functional import DECIDING
from ..utils import UserError
from ..utils.config_tree import leaf_configs, without_pipelines
from .inputs import Method, check_unlabeled, refer
from .labeled_part import restricted, restrictions
from .python_source import call, code, derived, plain
from .schedule import EpochSchedule, iteration_based

METAINFO_KEYS = ('classes', 'palette', 'label_map', 'reduce_zero_label')
LAYER_DECAY = ('LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor')


class Plan:
    """Everything that the config will say.

    Args:
        base: The supervised config.
        reference: How it is referred to.
        method: What is put around its model.
        unlabeled: Folder of unlabelled images.
        images: Its images.
        labeled: What the labelled part is restricted to.
        suffixes: Suffixes of the unlabelled images.
        start: Checkpoint of the supervised config that every branch starts from.

    Attributes:
        notes: What the user should know.
    """

    def __init__(
        self,
        base: Config,
        reference: str,
        method: Method,
        unlabeled: str,
        images: Sequence[str],
        labeled: Sequence[str],
        suffixes: Sequence[str],
        start: Path | None = None,
    ) -> None:
        self.base = base
        self.reference = reference
        self.method = method
        self.unlabeled = unlabeled
        self.image = str(Path(unlabeled) / images[0])
        self.labeled = labeled
        self.suffixes = suffixes
        self.start = start
        self.notes: list[str] = []

    def text(self, out: Path, excluded: Sequence[str] = ()) -> str:
        """The config; ``excluded`` are the expressions of data sets whose images are not to be unlabelled ones."""
        self.notes = []
        sections = [
            self.inheritance(out),
            self.model(),
            self.labeled_part(),
            self.unlabeled_part(excluded),
            self.loader(),
            self.scores(),
            self.schedule(),
        ]
        return '\n\n'.join(section for section in sections if section) + '\n'

    def inheritance(self, out: Path) -> str:
        """Bases and imports."""
        inline = self.method_is_inline
        bases = [self.reference, *([] if inline else [refer(self.method.file, out)])]
        lines = [
            f'# {Path(self.reference).name} with unlabelled images, by {self.method.file.stem}. Written by make_semi.',
            f'_base_ = {code(bases)}',
        ]
        imports = (self.base.get('custom_imports') or {}).get('imports') or []
        if 'simeps_mmseg' not in imports:
            own = f'{"" if isinstance(imports, str) else "*"}_base_.custom_imports.imports, ' if imports else ''
            lines.append(f"custom_imports = dict(imports=[{own}'simeps_mmseg'])")
        if not self.base.get('default_scope'):
            lines.append("default_scope = 'mmseg'")
        return '\n'.join(lines)

    @property
    def method_is_inline(self) -> bool:
        """Two bases must not have a variable in common; where they would, the method is written out."""
        return bool(self.method.keys & self.base.keys())

    def model(self) -> str:
        """The wrapped model and the hooks of the method."""
        method = self.method
        lines = ['# Each branch is the network of the supervised config, with its losses. Options: docs/methods.md.']
        if self.method_is_inline:
            lines.append(f'{method.name} = {code(plain(method.model))}')
        source = method.name if self.method_is_inline else f'_base_.{method.name}'
        lines.append(f'model = dict(_delete_=True, branch=_base_.model, **{source})')
        own_hooks = '*_base_.custom_hooks, ' if self.base.get('custom_hooks') else ''
        if self.method_is_inline:
            inline_hooks = ', '.join(code(plain(hook)) for hook in method.hooks)
            lines.append(f'custom_hooks = [{own_hooks}{inline_hooks}]')
        elif method.hooks_name != 'custom_hooks':
            hooks = f'_base_.{method.hooks_name}'
            lines.append(f'custom_hooks = [{own_hooks}*{hooks}]' if own_hooks else f'custom_hooks = {hooks}')
        if self.start:
            lines.append(
                '# The trained network that every branch starts from; training never ends below it on validation.'
            )
            lines.append(f'load_from = {str(self.start)!r}')
        elif not self.base.get('load_from'):
            self.notes.append(
                'without --checkpoint the branches start from nothing, and a share of the schedule goes to labels alone '
                '(SemiSupervisedHook.labels_only_share). Better train the supervised config first and give its checkpoint'
            )
        return '\n'.join(lines)

    def labeled_part(self) -> str:
        """The labelled data set, without RepeatDataset and restricted if asked for."""
        config, source = self.base.train_dataloader.dataset, '_base_.train_dataloader.dataset'
        comment = '# The labelled images, and what is done to them, stay as they are.'
        if config.type == 'RepeatDataset':
            config, source = config.dataset, f'{source}.dataset'
            comment = '# The labelled images as they are, without RepeatDataset: the sampler below never ends.'
        self.labeled_config = config
        if self.labeled:
            changes = restrictions(config, self.labeled)
            comment = '# A part of the labelled images; what is done to them stays.'
            source = restricted(source, config, iter(changes))
        return f'{comment}\nlabeled = {source}'

    def unlabeled_part(self, excluded: Sequence[str]) -> str:
        """The unlabelled data set."""
        config, pipeline_of = self.labeled_config, 'labeled'
        outer = None
        if config.type == 'MultiImageMixDataset':
            outer, config, pipeline_of = config.pipeline, config.dataset, "labeled['dataset']"
        while 'dataset' in config or 'datasets' in config:
            if 'pipeline' in config:
                raise UserError(
                    f'train_dataloader.dataset: {config.type} has a pipeline of its own and wraps another data set; only '
                    'MultiImageMixDataset may, and outermost'
                )
            step = "['dataset']" if 'dataset' in config else "['datasets'][0]"
            config, pipeline_of = config.get('dataset') or config.datasets[0], pipeline_of + step
        inner = config.get('pipeline') or []
        if not steps_that_need_masks(inner):
            raise UserError('train_dataloader.dataset: the pipeline has no LoadAnnotations, so nothing is labelled')
        every = [*inner, *(outer or [])]
        changes, dropped = unlabeled_changes(every), steps_that_need_masks(every)
        init_default_scope(self.base.get('default_scope') or 'mmseg')
        asking = steps_that_ask_for_masks(unlabeled_pipeline(inner, dropped, changes), self.image)
        if asking:
            dropped += asking
            self.notes.append(f'{", ".join(asking)} ask for a mask and are left out of the unlabelled pipeline')

        options = [f'data_root={self.unlabeled!r}']
        suffixes = self.suffixes or self._suffixes(config, inner)
        if suffixes:
            check_unlabeled(self.unlabeled, suffixes)
            options.append(f'suffixes={code(list(suffixes))}')
        if excluded:
            options.append(f'exclude=[{", ".join(excluded)}]')
        options.append(f'pipeline={derived(inner, pipeline_of, dropped, changes)}')
        folder = call('UnlabeledFolderDataset', options)
        lines = [f'# The unlabelled images: no masks, so without {" and ".join(dropped)}.']
        if excluded:
            lines.append('# What of the folder is labelled, validated or tested on, and masks of it, are left out.')
        if changes:
            lines.append(f'unlabeled_changes = {self._changes(changes)}')
        if outer is None:
            lines.append(f'unlabeled = {folder}')
        else:
            folder = folder.replace('\n', '\n    ')
            outer_text = derived(outer, 'labeled', dropped, changes)
            lines.append(f'unlabeled = dict(\n    labeled,\n    dataset={folder},\n    pipeline={outer_text},\n)')
        return '\n'.join(lines)

    @staticmethod
    def _changes(changes: dict[str, dict]) -> str:
        reasons = dict(
            LoadImageFromFile='also 16 bits and floats; the same for 8-bit images',
            RandomCrop='any other ratio looks at the mask',
        )
        lines = [f'    {kind}={code(change)},  # {reasons[kind]}' for kind, change in changes.items()]
        return '\n'.join(['dict(', *lines, ')'])

    @staticmethod
    def _suffixes(config: dict, pipeline: Sequence[dict]) -> list[str]:
        """Files of another kind than images have a loader and a suffix of their own."""
        if any(step.get('type') in ('LoadImageFromFile', 'LoadImageAsUint8') for step in pipeline):
            return []
        known = inspect.signature(DATASETS.get(config['type']).__init__).parameters.get('img_suffix')
        suffix = config.get('img_suffix') or (known and known.default)
        return [Path(suffix).suffix or suffix] if isinstance(suffix, str) else []

    def loader(self) -> str:
        """Batches with as many unlabelled images as the supervised config has labelled ones."""
        loader = self.base.train_dataloader
        batch = loader.get('batch_size', 1)
        number = max(2, batch)
        comment = f'# Per step and process {number} labelled images, as before, and as many unlabelled ones.'
        if batch < 2:
            comment = (
                '# Per step and process 2 labelled images (before: 1, too few to compare) and as many unlabelled ones.'
            )
        ignored = code(list(METAINFO_KEYS + own_metainfo(self.labeled_config)))
        lines = [
            comment,
            'train_dataloader = dict(',
            f'    batch_size={2 * number},',
            *(['    batch_sampler=None,'] if loader.get('batch_sampler') else []),
            f"    sampler=dict(_delete_=True, type='LabeledUnlabeledSampler', num_labeled={number}, num_unlabeled={number}),",
            '    dataset=dict(',
            '        _delete_=True,',
            "        type='ConcatDataset',",
            '        datasets=[labeled, unlabeled],',
            f'        ignore_keys={ignored},  # those of the labelled images count',
            '    ),',
            ')',
        ]
        return '\n'.join(lines)

    def scores(self) -> str:
        """The same scores of each branch, where they are MMSegmentation's own."""
        lines = []
        for key in ('val_evaluator', 'test_evaluator'):
            metric = self.base.get(key)
            if isinstance(metric, dict) and metric.get('type') == 'IoUMetric':
                lines.append(f"{key} = dict(type='DefectIoUMetric')")
            elif isinstance(metric, (list, tuple)) and any(one.get('type') == 'IoUMetric' for one in metric):
                parts = [
                    f"dict(_base_.{key}[{index}], type='DefectIoUMetric')"
                    if one.get('type') == 'IoUMetric'
                    else f'_base_.{key}[{index}]'
                    for index, one in enumerate(metric)
                ]
                lines.append(f'{key} = [{", ".join(parts)}]')
        comment = '# Also the scores of each branch, which tell tools/export.py the best one.'
        return '\n'.join([comment, *lines]) if lines else ''

    def schedule(self) -> str:
        """What keeps the best weights; and, where the schedule counts epochs, the same schedule in iterations."""
        parts = []
        best = self._best()
        wrapper = self.base.optim_wrapper
        if wrapper.get('constructor') in LAYER_DECAY:
            parts.append(
                '# The same learning rates by depth, in each branch.\n'
                f"optim_wrapper = dict(constructor='Branch{wrapper.constructor}')"
            )
        elif wrapper.get('constructor') not in (None, 'DefaultOptimWrapperConstructor'):
            self.notes.append(
                f'{wrapper.constructor} sees the names of the parameters with branches.0. and so on before them'
            )
        if wrapper.get('clip_grad'):
            self.notes.append(
                'optim_wrapper.clip_grad stays as it is and clips the gradient of all branches together; a max_norm larger by '
                'the root of their number (1.7 for three) clips each about as it was clipped alone'
            )
        if EpochSchedule.counts_epochs(self.base.get('train_cfg') or {}):
            schedule = iteration_based(self.base, self._steps_of_an_epoch())
            hook = schedule.changes['default_hooks']['checkpoint']
            hook.update({**best, **hook})  # its own interval, in iterations
            parts.append(
                f'# There are no epochs in an endless stream: {schedule.epochs} epochs of {schedule.steps} steps, as the '
                f'supervised config\n# has them on its own training set, are {schedule.max_iters} iterations.'
            )
            parts[-1] += ''.join(f'\n{key} = {code(value)}' for key, value in schedule.changes.items())
        elif best:
            parts.append(
                '# The best weights on validation are kept, those of labels alone among them.\n'
                f'default_hooks = {code(dict(checkpoint=best))}'
            )
        return '\n\n'.join(parts)

    def _best(self) -> dict:
        """What is added to the checkpoint hook, so that the best weights by validation are kept."""
        hook = (self.base.get('default_hooks') or {}).get('checkpoint') or {}
        if hook.get('save_best'):
            return {}
        metrics = self.base.get('val_evaluator') or []
        metrics = [metrics] if isinstance(metrics, dict) else metrics
        known = [metric for metric in metrics if metric.get('type') in ('IoUMetric', 'DefectIoUMetric')]
        if not any(not metric.get('prefix') for metric in known):
            self.notes.append(
                'no best checkpoint is kept, as the scores of the validation are not known: set '
                'default_hooks.checkpoint.save_best to keep the best weights'
            )
            return {}
        interval = (self.base.get('train_cfg') or {}).get('val_interval', 1000)
        added = {} if hook else dict(type='CheckpointHook', by_epoch=False, interval=interval)
        return dict(save_best=DECIDING[0], **added)

    def _steps_of_an_epoch(self) -> int:
        """Steps of one epoch of the supervised config on its own training set."""
        loader = self.base.train_dataloader
        try:
            size = len(DATASETS.build(without_pipelines(loader.dataset)))
        except Exception as error:  # whatever a data set class raises
            raise UserError(
                'the config counts epochs, and how many steps one has is known only with its training set, which cannot be '
                f'listed: {str(error) or type(error).__name__}'
            ) from error
        batch = loader.get('batch_size', 1)
        return max(1, size // batch if loader.get('drop_last') else -(-size // batch))


def own_metainfo(config: dict) -> tuple[str, ...]:
    """Keys of the meta information that a data set has beside the usual ones."""
    leaf = leaf_configs(config)[0]
    known = getattr(DATASETS.get(leaf['type']), 'METAINFO', {})
    return tuple(key for key in {**known, **(leaf.get('metainfo') or {})} if key not in METAINFO_KEYS)
