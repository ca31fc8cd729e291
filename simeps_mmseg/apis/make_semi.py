"""Turn a supervised config into a semi-supervised one."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import HOOKS

from ..conversion import (
    LAZY,
    check_unlabeled,
    load_method,
    load_supervised,
    notes,
    start_beside,
    statements,
)
from ..datasets.checks.before_training import by_kind
from ..datasets.checks.missing_data import missing_data
from ..datasets.checks.quick import quick_problems
from ..datasets.labeled_part import restricted
from ..datasets.labeled_unlabeled_configs import labeled_and_unlabeled
from ..datasets.listing import listings_kept
from ..datasets.sources import Source, find_sources, part_configs
from ..datasets.unlabeled_pipeline import steps_that_ask_for_masks
from ..deploy import find_checkpoint
from ..engine.checks import built_network, start_notes
from ..engine.checks.colors import loaded_image_problems
from ..engine.checks.packages import package_problems
from ..utils import UserError
from ..utils.config_kinds import LOADERS
from ..utils.config_source import config_text
from ..utils.config_tree import leaf_configs, walk_dicts
from ..utils.configs import default_work_dir
from ..utils.files import check_writable
from ..utils.images import IMAGE_SUFFIXES
from ..utils.paths import reference_to


@listings_kept()  # one listing for the checks of files and of what is made of them
def make_semi(
    config: str,
    unlabeled: str,
    out: str,
    labeled: Sequence[str] = (),
    method: str = 'simeps_plus',
    suffixes: Sequence[str] = (),
    overwrite: bool = False,
    checkpoint: Sequence[str] = (),
    iters: int | None = None,
) -> Path:
    """Write a config that inherits a supervised one and adds the unlabelled images; verify it; say what comes next.

    Args:
        config: A supervised MMSeg config: a path, also below the shipped ``configs/``, or one of MMSeg by ``mmseg::``.
        unlabeled: Folder of images; nested folders, mixed suffixes, sizes and depths are fine.
        out: The config to write.
        labeled: What the labelled part is restricted to: a list of names (as ``ann_file``) or a folder; one for each data
            set where the config concatenates several. Without any it is the config's own training set.
        method: Name of a file in ``configs/_base_/semi/``.
        suffixes: Suffixes of the unlabelled images, such as ``.png``, where the folder has others, too.
        overwrite: Replace ``out``, and the networks to start from beside it, where they are there already.
        checkpoint: Weights of the trained supervised config: one file that every branch starts from, or one for each branch,
            trained from different seeds; those are written to one file beside ``out``, ``<name>_start.pth``. Without any it is
            what the config loads, if anything.
        iters: Iterations to train, with the whole schedule in proportion, validations and checkpoints too. None: as the config
            has it.

    Returns:
        ``out``.

    Raises:
        UserError: On a config that cannot be converted, a checkpoint of another network, or folders and lists that are not
            what they have to be; and, after the config was written, on a network that cannot be built and errors in the data.
    """
    target = Path(out)
    if target.suffix != '.py':
        raise UserError(f'{out} is to be a config: give a name that ends in .py')
    if iters is not None and iters < 1:
        raise UserError(f'--iters must be 1 or more, got {iters}')
    check_writable(target)
    if target.exists() and not overwrite:
        raise UserError(f'{out} is there already; choose another name, or replace it with --overwrite')
    base, reference = load_supervised(config, target)
    method_file = load_method(method, base)
    starts = [find_checkpoint(path) for path in ([checkpoint] if isinstance(checkpoint, str | Path) else checkpoint)]
    init_default_scope(base.get('default_scope') or 'mmseg')
    if labeled:
        restricted(base.train_dataloader.dataset, labeled, '--labeled')
    source = (
        dict(type='UnlabeledFolderDataset', data_root=unlabeled, suffixes=list(suffixes)) if suffixes else unlabeled
    )
    (leaf,) = leaf_configs(labeled_and_unlabeled(base.train_dataloader.dataset, source)[1])
    images = check_unlabeled(unlabeled, leaf.get('suffixes') or IMAGE_SUFFIXES)
    try:
        network, unbuilt = built_network(base), []
    except UserError as error:  # for want of a package, it may be, which the machine that trains has
        network, unbuilt = None, [str(error)]
    start_known = [note for key, path in starting_weights(starts, base) for note in start_notes(path, key, network)]
    title = f'# {Path(reference).name} with unlabelled images, by {method}. Written by make_semi.\n'
    with start_beside(target, starts, method_file, overwrite) as start:
        content = statements(base, [reference, reference_to(method_file, target)], labeled, source, start, iters)
        cfg = write_verified(title + config_text(content), target)
    missing = dict.fromkeys(path for path, _, _ in missing_data(cfg, LOADERS))
    absent = absent_parts(cfg)
    sources, problems = find_sources(cfg)
    problems += quick_problems(sources)
    problems = [
        problem for problem in problems if problem.part not in absent
    ]  # all they could say is that it is absent
    if not (missing or unbuilt or any(package_problems(cfg)) or any(problem.is_error for problem in problems)):
        problems += loaded_image_problems(cfg)
    errors = list(by_kind([problem for problem in problems if problem.is_error], 3))
    warnings = list(by_kind([problem for problem in problems if not problem.is_error], 3))
    if missing:
        warnings.append(
            f'{", ".join(missing)}: not there, so neither checked nor kept out of the unlabelled images; where it will be '
            f'below {unlabeled}, run this again then, with --overwrite'
        )
    asking = steps_that_ask_for_masks(leaf['pipeline'], str(Path(unlabeled) / images[0]))
    print(counts(sources))
    if not (errors or unbuilt):
        print(f'{out}: written' + (f', and {cfg.load_from}' if len(starts) > 1 else ''))
    for note in [*notes(base, cfg, asking), *start_known, *ramp_notes(cfg), *warnings]:
        print(f'  note: {note}')
    if errors or unbuilt:
        where = ' and in '.join([*(['the config'] if unbuilt else []), *(['the data'] if errors else [])])
        listed = '\n'.join(f'  - {error}' for error in [*unbuilt, *errors])
        raise UserError(f'{out} is written, but there are errors in {where}, to be mended before training:\n{listed}')
    print(next_commands(target, cfg))
    return target


def write_verified(text: str, out: Path) -> Config:
    """Write a config once it is known to load.

    Raises:
        UserError: If it does not; nothing is written then.
    """
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


def starting_weights(starts: Sequence[Path], base: Config) -> Iterator[tuple[str, Path]]:
    """How the user named each checkpoint that the branches start from, and its path; nothing where there is none here."""
    loaded = base.get('load_from')
    if starts:
        yield from (('--checkpoint', start) for start in starts)
    elif loaded and '://' not in loaded and Path(loaded).is_file():  # training says so where it is not
        yield 'load_from', Path(loaded)


def ramp_notes(cfg: Config) -> list[str]:
    """What to know of a schedule that is short for its ramp, or for its stretch on labels alone."""
    length = (cfg.get('train_cfg') or {}).get('max_iters', 0)
    hooks = [HOOKS.build(hook) for hook in cfg.get('custom_hooks') or [] if hook.get('type') == 'SemiSupervisedHook']
    is_trained = bool(cfg.get('load_from'))
    notes = [note for hook in hooks if length for note in hook.schedule.warnings(length, is_trained)]
    return [f'{note}; docs/own_data.md says what can be done' for note in notes]


def absent_parts(cfg: Config) -> set[str]:
    """The parts of which a folder or a list is not there."""
    return {part for part, _, leaf in part_configs(cfg) if any(missing_data(Config(dict(leaf=leaf)), ('leaf',)))}


def counts(sources: Sequence[Source]) -> str:
    """How many images each part has."""
    totals: dict[str, int] = {}
    for source in sources:
        totals[source.part] = totals.get(source.part, 0) + len(source.infos)
    return 'images: ' + ', '.join(f'{count} {part}' for part, count in totals.items())


def next_commands(out: Path, cfg: Config) -> str:
    """What to run now."""
    pretrained = any(node.get('type') == 'Pretrained' or node.get('pretrained') for _, node in walk_dicts(cfg.model))
    hint = '    # --from-scratch: without pretrained weights' if pretrained else ''
    name, folder = (
        shlex.quote(out.as_posix()),
        shlex.quote(Path(cfg.get('work_dir') or default_work_dir(out)).as_posix()),
    )
    weights = f'{folder}/{weights_to_test(cfg)}'
    return '\n'.join(
        [
            'next:',
            f'  simeps check_dataset {name}    # looks at every file',
            f'  simeps train {name}{hint}',
            *([f'  simeps test {name} {weights}'] if cfg.get('test_dataloader') else []),
        ]
    )


def weights_to_test(cfg: Config) -> str:
    """The file that a training leaves: a pattern for the best on validation, where that is kept, else the name of the last.

    Example:
        >>> hooks = dict(checkpoint=dict(save_best='mIoU_fg'))
        >>> weights_to_test(Config(dict(val_dataloader=dict(batch_size=1), default_hooks=hooks)))
        'best_mIoU_fg_iter_*.pth'
        >>> weights_to_test(Config(dict(train_cfg=dict(max_iters=300))))
        'iter_300.pth'
    """
    wanted = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    if not wanted or not cfg.get('val_dataloader'):
        return f'iter_{(cfg.get("train_cfg") or {}).get("max_iters", "N")}.pth'
    score = wanted if isinstance(wanted, str) else wanted[0]
    return 'best_*.pth' if score == 'auto' else f'best_{score.replace("/", "_")}_iter_*.pth'
