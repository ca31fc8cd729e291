"""Where configs and tools are."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from .errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]


def real_path(path: str | Path) -> str:
    """One name for each file, behind links and whatever the case where that does not count."""
    return os.path.normcase(os.path.realpath(path))


def reference_to(path: Path, file: Path) -> str:
    """A path as a file names it: relative to its folder where both are in one project or home folder, else absolute.

    Absolute behind a link, too: mmengine goes up from the folder as it is called, not from where it is.
    """
    path, folder = path.resolve(), file.resolve().parent
    shared = os.path.commonpath([path, folder]) if path.drive == folder.drive else ''
    is_near = len(Path(shared).parts) > 2  # not only / or /home
    is_near = is_near and str(folder) == os.path.abspath(file.parent)
    return Path(os.path.relpath(path, folder)).as_posix() if is_near else path.as_posix()


def names_of_results(paths: Sequence[str]) -> dict[str, str]:
    """A name for what is written of each file: without folder and suffix where that is one, else with both.

    Example:
        >>> names_of_results(['d/a/1.png', 'd/b/1.png', 'd/b/2.png'])
        {'d/a/1.png': 'a_1.png', 'd/b/1.png': 'b_1.png', 'd/b/2.png': '2'}
    """
    count = Counter(Path(path).stem for path in dict.fromkeys(paths))
    root = os.path.commonpath([os.path.dirname(path) for path in paths]) if len(paths) > 1 else ''
    return {
        path: stem if count[stem := Path(path).stem] == 1 else '_'.join(Path(os.path.relpath(path, root or '.')).parts)
        for path in paths
    }


def shipped_folder(name: str) -> Path:
    """``configs`` or ``tools``: inside the installed package (``.mim``, as MMSeg has it), or beside it in a clone."""
    installed = PACKAGE / '.mim' / name
    return installed if installed.is_dir() else PACKAGE.parent / name


def hint_for_percentages(path: str | Path) -> str:
    """What to take in place of a config, or of a base, that exists for another share of the labels; empty if none does.

    Example:
        >>> hint_for_percentages('configs/supervised/unet_neu_5pct.py')
        '; take supervised/unet_neu_10pct.py with \
--cfg-options train_dataloader.dataset.ann_file=splits/seed0/5pct_labeled.txt'
    """
    wanted, configs = Path(path), shipped_folder('configs')
    percentage = re.search(r'_(\d+pct)$', wanted.stem)
    if not percentage:
        return ''
    labeled = f'train_dataloader.dataset.ann_file=splits/seed0/{percentage[1]}_labeled.txt'
    split = f'train_dataloader.dataset.split=splits/seed0/{percentage[1]}'
    name = wanted.stem.removesuffix(percentage[0]).removeprefix('semi_')
    if (configs / f'_base_/datasets/semi_{name}.py').is_file():
        return f'; take _base_/datasets/semi_{name}.py as a base, with {split}, or for labels only {name}.py, with {labeled}'
    twins = sorted(configs.glob(f'{wanted.parent.name or "[!_]*"}/{name}_*pct.py'))
    if not twins:
        return ''
    twin = min(twins, key=lambda file: file.parent.name != 'simeps')
    option = labeled if twin.parent.name in ('supervised', 'ensemble') else split
    return f'; take {twin.relative_to(configs).as_posix()} with --cfg-options {option}'


def find_config(path: str | Path) -> Path:
    """A config by its path, or by its path below the shipped ``configs/``.

    Raises:
        UserError: If there is none; names shipped ones with a similar name.
    """
    shipped = shipped_folder('configs')
    candidates = [Path(path), shipped / path, shipped.parent / path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if hint := hint_for_percentages(path):
        raise UserError(f'config {path} is not there{hint}')
    names = {file.stem: file.relative_to(shipped).as_posix() for file in shipped.glob('[!_]*/*.py')}
    close = [names[stem] for stem in get_close_matches(Path(path).stem, names, n=3)]
    hint = f'did you mean {", ".join(close)}?' if close else f'shipped ones are in {shipped}'
    raise UserError(f'config {path} is not there; {hint}')
