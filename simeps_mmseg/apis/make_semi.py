"""Turn a supervised config into a semi-supervised one."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import mmseg
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from ..datasets.inspection import LABELED, TEST, UNLABELED, VALIDATION
from ..datasets.unlabeled_folder import IMAGE_SUFFIXES, leaf_configs, list_images
from ..datasets.unlabeled_pipeline import (
    OTHER_TASKS,
    is_nested,
    steps_that_ask_for_masks,
    steps_that_need_masks,
    unlabeled_changes,
    unlabeled_pipeline,
    walk_steps,
)
from ..models.utils import walk_dicts
from ..utils import UserError
from ..utils.paths import shipped_folder
from .check_dataset import Source, by_kind, find_sources, quick_problems
from .config import find_config
from .data import LOADERS, missing_data
from .schedule import EpochSchedule, iteration_based

METAINFO_KEYS = ('classes', 'palette', 'label_map', 'reduce_zero_label')
LAZY = (
    'the config is in the pure Python style of mmengine (with read_base() or imports), which no other config can inherit; '
    "write it out first: python -c \"from mmengine.config import Config; Config.fromfile('CONFIG').dump('plain.py')\""
)
LAYER_DECAY = ('LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor')
SUBFOLDERS = (('images', 'annotations'), ('images', 'masks'), ('images', 'labels'), ('img_dir', 'ann_dir'))


class Method(NamedTuple):
    """A file below ``configs/_base_/semi/``.

    Attributes:
        file: Its path.
        name: The variable that holds the model.
        model: That variable.
        hooks: Its hooks.
        hooks_name: The variable that holds them.
        keys: All variables of the file.
    """

    file: Path
    name: str
    model: dict
    hooks: list
    hooks_name: str
    keys: frozenset[str]


def make_semi(
    config: str,
    unlabeled: str,
    out: str,
    labeled: Sequence[str] = (),
    method: str = 'simeps',
    suffixes: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a config that inherits a supervised one and adds the unlabelled images; verify it; say what comes next.

    Args:
        config: A supervised MMSeg config: a path, also below the shipped ``configs/``, or ``mmseg::...``.
        unlabeled: Folder of images; nested folders, mixed suffixes, sizes and depths are fine.
        out: The config to write.
        labeled: What the labelled part is restricted to: a list of names (as ``ann_file``) or a folder; one for each data
            set where the config concatenates several. Empty: the config's own training set.
        method: Name of a file in ``configs/_base_/semi/``.
        suffixes: Suffixes of the unlabelled images, where not every image of the folder is one.
        overwrite: Whether ``out`` may exist.

    Returns:
        ``out``.

    Raises:
        UserError: On a config that cannot be converted, or folders and lists that are not what they have to be.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise UserError(f'{out} is there already; choose another name, or replace it with --overwrite')
    base, reference = load_supervised(config, out)
    chosen = load_method(method)
    images = check_unlabeled(unlabeled, suffixes)
    plan = Plan(base, reference, chosen, unlabeled, images, list(labeled), suffixes)
    cfg = write_verified(plan.text(out), out)
    missing = dict.fromkeys(path for path, _, _ in missing_data(cfg, LOADERS))
    warnings = []
    if missing:
        warnings.append(f'not checked against the data, which is not there: {", ".join(missing)}')
    else:
        sources, problems = find_sources(cfg)
        excluded = overlapping_parts(sources)
        if excluded:
            cfg = write_verified(plan.text(out, excluded), out)
            sources, problems = find_sources(cfg)
        warnings += by_kind(problems + quick_problems(sources), 3)
        print(counts(sources))
    print(f'{out}: written')
    for note in [*plan.notes, *warnings]:
        print(f'  note: {note}')
    print(next_commands(out, cfg))
    return out


# -- what there is ---------------------------------------------------------------------------------------------------


def load_supervised(config: str, out: Path) -> tuple[Config, str]:
    """A supervised config, and how a config at ``out`` refers to it.

    Raises:
        UserError: If it is not there, not supervised, or written in mmengine's pure Python style.
    """
    shipped = Path(mmseg.__file__).parent / '.mim' / 'configs'
    path = shipped / config.removeprefix('mmseg::') if config.startswith('mmseg::') else find_config(config)
    if not path.is_file():
        raise UserError(f'config {config} is not there; MMSegmentation keeps its own in {shipped}')
    if path.resolve() == out.resolve():
        raise UserError(f'{out} is the supervised config itself; write to another file')
    try:
        cfg = Config.fromfile(path)
    except ImportError as error:
        raise UserError(f'{config} imports what is not installed: {str(error).splitlines()[0]}') from error
    if any(isinstance(node.get('type'), type) for _, node in walk_dicts(cfg._cfg_dict)):
        raise UserError(LAZY)
    check_supervised(cfg, config)
    inside = path.resolve().is_relative_to(shipped.resolve())
    return cfg, f'mmseg::{path.resolve().relative_to(shipped.resolve()).as_posix()}' if inside else refer(path, out)


def check_supervised(cfg: Config, config: str) -> None:
    """Raise ``UserError`` unless a config trains one segmentor on images with masks."""
    missing = [key for key in ('model', 'train_dataloader', 'optim_wrapper') if not cfg.get(key)]
    if missing:
        raise UserError(f'{config} has no {" and no ".join(missing)}: a config to train with is needed')
    if {'branch', 'branches'} & cfg.model.keys():
        raise UserError(f'{config} is semi-supervised already (model.type={cfg.model.type}); give the supervised one')
    for leaf in leaf_configs(cfg.train_dataloader.dataset):
        for step in walk_steps(leaf.get('pipeline') or []):
            if step.get('type') in OTHER_TASKS:
                raise UserError(
                    f'{config} is for {OTHER_TASKS[step.type]} ({step.type} in its pipeline); '
                    'only configs that segment single images can be converted'
                )


def refer(path: Path, out: Path) -> str:
    """A path as the config at ``out`` names it: relative where both are in one project or home folder, else absolute."""
    path, folder = path.resolve(), out.resolve().parent
    common = Path(os.path.commonpath([path, folder]))
    is_near = len(common.parts) > 2  # not only / or /home
    return Path(os.path.relpath(path, folder)).as_posix() if is_near else path.as_posix()


def load_method(method: str) -> Method:
    """A semi-supervised method by the name of its file.

    Raises:
        UserError: If there is none; names those there are.
    """
    folder = shipped_folder('configs') / '_base_/semi'
    names = sorted(file.stem for file in folder.glob('*.py') if file.stem != 'views')
    if method not in names:
        raise UserError(f'--method {method} is not there; choose one of {", ".join(names)}')
    file = folder / f'{method}.py'
    cfg = Config.fromfile(file)
    name = method if method in cfg else 'simeps'
    hooks_name = f'{name}_hooks' if f'{name}_hooks' in cfg else 'custom_hooks'
    return Method(file, name, cfg[name], cfg[hooks_name], hooks_name, frozenset(cfg.keys()))


def check_unlabeled(folder: str, suffixes: Sequence[str]) -> list[str]:
    """Images of the unlabelled folder.

    Raises:
        UserError: If there is no folder, no image, or images that look like masks of their neighbours.
    """
    if not Path(folder).is_dir():
        raise UserError(
            f'--unlabeled {folder} is not a folder; it takes a folder of images, which may have sub-folders'
        )
    images = list_images(folder, suffixes or IMAGE_SUFFIXES)
    if not images:
        raise UserError(f'--unlabeled {folder} holds no image; looked for {", ".join(suffixes or IMAGE_SUFFIXES)}')
    stems: dict[str, str] = {}
    for image in images:
        other = stems.setdefault(image.rpartition('.')[0], image)
        if other != image:
            raise UserError(
                f'--unlabeled {folder} holds {other} and {image}: is one the mask of the other? '
                f'Say which files are images, such as --suffixes {Path(other).suffix}'
            )
    return images


# -- what to write ---------------------------------------------------------------------------------------------------


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
    ) -> None:
        self.base = base
        self.reference = reference
        self.method = method
        self.unlabeled = unlabeled
        self.image = str(Path(unlabeled) / images[0])
        self.labeled = labeled
        self.suffixes = suffixes
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
        if self.base.get('load_from'):
            self.notes.append(
                f'load_from={self.base.load_from} holds one plain network and would not fit; it is left out. As '
                "model.branch.init_cfg=dict(type='Pretrained', checkpoint=...) all branches would start from it, and "
                'equal branches have nothing to teach each other'
            )
            lines.append('load_from = None  # it holds one plain network; branches that start equal teach nothing')
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
            lines.append('# Images of the folder that are labelled, validated or tested on are left out.')
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

    def schedule(self) -> str:
        """Nothing where the schedule counts iterations already; else the same schedule in iterations."""
        parts = []
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
        if EpochSchedule.counts_epochs(self.base.get('train_cfg') or {}):
            schedule = iteration_based(self.base, self._steps_of_an_epoch())
            parts.append(
                f'# There are no epochs in an endless stream: {schedule.epochs} epochs of {schedule.steps} steps, as the '
                f'supervised config\n# has them on its own training set, are {schedule.max_iters} iterations.'
            )
            parts[-1] += ''.join(f'\n{key} = {code(value)}' for key, value in schedule.changes.items())
        return '\n\n'.join(parts)

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


def without_pipelines(config: dict) -> dict:
    """A data set config, wrapped or not, that opens no file."""
    changed = dict(config)
    if 'pipeline' in changed:
        changed['pipeline'] = []
    if 'dataset' in changed:
        changed['dataset'] = without_pipelines(changed['dataset'])
    if 'datasets' in changed:
        changed['datasets'] = [without_pipelines(inner) for inner in changed['datasets']]
    return changed


def own_metainfo(config: dict) -> tuple[str, ...]:
    """Keys of the meta information that a data set has beside the usual ones."""
    leaf = leaf_configs(config)[0]
    known = getattr(DATASETS.get(leaf['type']), 'METAINFO', {})
    return tuple(key for key in {**known, **(leaf.get('metainfo') or {})} if key not in METAINFO_KEYS)


# -- the labelled part -----------------------------------------------------------------------------------------------


def restrictions(config: dict, sources: Sequence[str]) -> list[dict]:
    """What changes in each labelled data set.

    Raises:
        UserError: If there are not as many sources as data sets, or one is not what it has to be.
    """
    leaves = leaf_configs(config)
    if len(sources) != len(leaves):
        raise UserError(
            f'--labeled: the config concatenates {len(leaves)} labelled data set(s), so give {len(leaves)} lists or '
            f'folders, in their order; got {len(sources)}'
        )
    return [restriction(leaf, Path(source)) for leaf, source in zip(leaves, sources)]


def restriction(leaf: dict, source: Path) -> dict:
    """Options of a data set that restrict it to a list of names or to a folder.

    A folder is, whichever fits first: another root with the same folders below it; a part of the config's image folder,
    whose masks are in the same part of its mask folder; a folder with ``images`` and ``annotations`` (``masks``,
    ``labels``; ``img_dir`` and ``ann_dir``); or a folder of images with their masks beside them.

    Raises:
        UserError: If it is none of these.
    """
    root = Path(leaf.get('data_root') or '')
    if source.is_file():
        return dict(ann_file=_below(source, root))
    if not source.is_dir():
        raise UserError(f'--labeled {source} is neither a list of names nor a folder')
    prefix = leaf.get('data_prefix') or {}
    images, masks = (prefix.get(key) or '' for key in ('img_path', 'seg_map_path'))
    if images and masks and (source / images).is_dir() and (source / masks).is_dir():
        return _whole_folder(leaf, source, source / images, source / masks, data_root=source.as_posix())
    try:
        part = source.resolve().relative_to((root / images).resolve())
        if (root / masks / part).is_dir() and part.parts:
            own = dict(img_path=(Path(images) / part).as_posix(), seg_map_path=(Path(masks) / part).as_posix())
            return _whole_folder(leaf, source, root / images / part, root / masks / part, data_prefix=own)
    except ValueError:
        pass  # elsewhere
    for own_images, own_masks in SUBFOLDERS:
        if (source / own_images).is_dir() and (source / own_masks).is_dir():
            own = dict(img_path=own_images, seg_map_path=own_masks)
            found = (source / own_images, source / own_masks)
            return _whole_folder(leaf, source, *found, data_root=source.as_posix(), data_prefix=own)
    if list_images(source):
        own = dict(img_path='', seg_map_path='')
        return _whole_folder(leaf, source, source, source, data_root=source.as_posix(), data_prefix=own)
    raise UserError(
        f'--labeled {source}: no images found. It may hold {images or "images"} and {masks or "annotations"}, be a part of '
        f'{root / images}, or hold images with their masks beside them'
    )


def _below(path: Path, root: Path) -> str:
    """A path as ``ann_file`` has it: relative to the root where it is below it, else absolute."""
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _whole_folder(leaf: dict, source: Path, images: Path, masks: Path, **changes: object) -> dict:
    """Take all pairs of a folder, by the suffixes that are there.

    Raises:
        UserError: If not one image has a mask.
    """
    if leaf.get('ann_file'):
        changes['ann_file'] = ''
    known = inspect.signature(DATASETS.get(leaf['type']).__init__).parameters
    own = [leaf.get(key) or getattr(known.get(key), 'default', None) for key in ('img_suffix', 'seg_map_suffix')]
    own = [value if isinstance(value, str) else default for value, default in zip(own, ('.jpg', '.png'))]
    names, mask_names = list_images(images), set(list_images(masks))
    pairs = [tuple(own)]
    for image_suffix in dict.fromkeys(Path(name).suffix for name in names):
        pairs += [
            (image_suffix, suffix) for suffix in dict.fromkeys((own[1], *(Path(n).suffix for n in sorted(mask_names))))
        ]
    for image_suffix, mask_suffix in pairs:
        stems = [name.removesuffix(image_suffix) for name in names if name.endswith(image_suffix)]
        if image_suffix == mask_suffix and images == masks:
            continue
        if any(stem + mask_suffix in mask_names for stem in stems):
            if image_suffix != own[0]:
                changes['img_suffix'] = image_suffix
            if mask_suffix != own[1]:
                changes['seg_map_suffix'] = mask_suffix
            return changes
    raise UserError(
        f'--labeled {source}: no image in {images} has a mask in {masks}; looked for names with {own[0]} and {own[1]}, and '
        'for other suffixes of the same names'
    )


def restricted(source: str, config: dict, changes) -> str:
    """Expression of a data set, wrapped or not, with the options of each inner one changed."""
    if 'datasets' in config:
        inner = [
            restricted(f'{source}.datasets[{index}]', part, changes) for index, part in enumerate(config['datasets'])
        ]
        return f'dict({source}, datasets=[{", ".join(inner)}])'
    if 'dataset' in config:
        return f'dict({source}, dataset={restricted(f"{source}.dataset", config["dataset"], changes)})'
    options = ', '.join(f'{key}={code(value)}' for key, value in next(changes).items())
    return f'dict({source}, {options})'


# -- Python source ---------------------------------------------------------------------------------------------------


def code(value: object, indent: int = 0) -> str:
    """A value as the configs write it: dicts by keyword, one line where it fits."""
    if isinstance(value, dict):
        keyword = all(isinstance(key, str) and key.isidentifier() for key in value)
        parts = [
            f'{key}={code(v, indent + 4)}' if keyword else f'{key!r}: {code(v, indent + 4)}' for key, v in value.items()
        ]
        opening, closing = ('dict(', ')') if keyword else ('{', '}')
    elif isinstance(value, (list, tuple)):
        parts = [code(v, indent + 4) for v in value]
        opening, closing = ('[', ']') if isinstance(value, list) else ('(', ',)' if len(value) == 1 else ')')
    else:
        return repr(value)
    line = f'{opening}{", ".join(parts)}{closing}'
    if len(line) + indent <= 100 and '\n' not in line:
        return line
    pad = ' ' * (indent + 4)
    return '\n'.join([opening, *(f'{pad}{part},' for part in parts), ' ' * indent + closing.lstrip(',')])


def plain(value: object) -> object:
    """Dicts and lists of mmengine as those of Python."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return type(value)(plain(inner) for inner in value) if isinstance(value, (list, tuple)) else value


def call(kind: str, options: Sequence[str]) -> str:
    """A config of a component, one option per line."""
    return '\n'.join(['dict(', f"    type='{kind}',", *(f'    {option},' for option in options), ')'])


def derived(pipeline: Sequence[dict], owner: str, dropped: Sequence[str], changes: dict[str, dict]) -> str:
    """Expression of an unlabelled pipeline: derived from the labelled one, or written out where steps are nested."""
    if is_nested(pipeline):
        return code(plain(unlabeled_pipeline(pipeline, dropped, changes)), 4)
    step = "{**step, **unlabeled_changes.get(step['type'], {})}" if changes else 'step'
    lines = ['[', f'        {step}', f"        for step in {owner}['pipeline']"]
    lines.append(f"        if step['type'] not in {code(list(dropped))}")
    return '\n'.join([*lines, '    ]'])


# -- what was written ------------------------------------------------------------------------------------------------


def write_verified(text: str, out: Path) -> Config:
    """Write a config once it is known to load.

    Raises:
        UserError: If it does not; nothing is written then.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f'_partial_{os.getpid()}_{out.name}')
    try:
        partial.write_text(text, encoding='utf-8')
        cfg = Config.fromfile(partial)
        os.replace(partial, out)
    except RuntimeError as error:
        if 'lazy_import' not in str(error):
            raise
        raise UserError(LAZY) from error
    finally:
        partial.unlink(missing_ok=True)
    return cfg


def overlapping_parts(sources: Sequence[Source]) -> list[str]:
    """Expressions of the data sets whose images are also found in the unlabelled folder."""
    paths: dict[str, set[str]] = {}
    for source in sources:
        paths.setdefault(source.part, set()).update(os.path.abspath(info['img_path']) for info in source.infos)
    expressions = {
        LABELED: 'labeled',
        VALIDATION: '_base_.val_dataloader.dataset',
        TEST: '_base_.test_dataloader.dataset',
    }
    unlabeled = paths.get(UNLABELED, set())
    return [expression for part, expression in expressions.items() if unlabeled & paths.get(part, set())]


def counts(sources: Sequence[Source]) -> str:
    """How many images each part has."""
    totals: dict[str, int] = {}
    for source in sources:
        totals[source.part] = totals.get(source.part, 0) + len(source.infos)
    return 'images: ' + ', '.join(f'{count} {part}' for part, count in totals.items())


def next_commands(out: Path, cfg: Config) -> str:
    """What to run now."""
    iters = (cfg.get('train_cfg') or {}).get('max_iters', 'N')
    pretrained = any(node.get('type') == 'Pretrained' or node.get('pretrained') for _, node in walk_dicts(cfg.model))
    hint = '    # --from-scratch: without pretrained weights' if pretrained else ''
    return (
        'next:\n'
        f'  python tools/check_dataset.py {out}    # looks at every file (or: simeps check_dataset {out})\n'
        f'  python tools/train.py {out}{hint}\n'
        f'  python tools/test.py {out} work_dirs/{out.stem}/iter_{iters}.pth'
    )
