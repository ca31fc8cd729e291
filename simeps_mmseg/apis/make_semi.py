"""Turn a supervised config into a semi-supervised one."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ..conversion import LAZY, Plan, check_unlabeled, load_method, load_supervised
from ..datasets.inspection import LABELED, TEST, UNLABELED, VALIDATION
from ..models.utils import walk_dicts
from ..utils import UserError
from .check_dataset import Source, by_kind, find_sources, quick_problems
from .data import LOADERS, missing_data


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
    warnings, errors = [], []
    if missing:
        warnings.append(f'not checked against the data, which is not there: {", ".join(missing)}')
    else:
        sources, problems = find_sources(cfg)
        excluded = overlapping_parts(sources)
        if excluded:
            cfg = write_verified(plan.text(out, excluded), out)
            sources, problems = find_sources(cfg)
        problems += quick_problems(sources)
        errors += by_kind([problem for problem in problems if problem.is_error], 3)
        warnings += by_kind([problem for problem in problems if not problem.is_error], 3)
        print(counts(sources))
    print(f'{out}: written')
    for note in [*plan.notes, *warnings]:
        print(f'  note: {note}')
    for error in errors:
        print(f'  error in the data, to be mended before training: {error}')
    print(next_commands(out, cfg))
    return out


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
