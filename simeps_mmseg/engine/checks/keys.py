"""Top-level keys of a config that nothing reads: slips of the pen, and what MMSegmentation 0.x called a part of a run."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

from ...utils.configs import PARTS_OF_A_RUN

READ = frozenset({*PARTS_OF_A_RUN, 'custom_imports'})
# Words that are one letter away from a part of a run, and in use as variables.
VARIABLES = ('mode', 'models')
LONG = 12  # letters from which two slips in a word are still one meant otherwise
OLD_KEYS = dict(
    checkpoint_config='default_hooks.checkpoint',
    data='train_dataloader, val_dataloader and test_dataloader',
    evaluation='val_evaluator, train_cfg.val_interval and default_hooks.checkpoint.save_best',
    log_config='default_hooks.logger and visualizer',
    lr_config='param_scheduler',
    momentum_config='param_scheduler',
    optimizer='optim_wrapper.optimizer',
    optimizer_config='optim_wrapper.clip_grad',
    resume_from='load_from and resume',
    runner='train_cfg.max_iters',
    workflow='train_cfg and val_cfg',
)


def misspelt_keys(keys: Iterable[str]) -> Iterator[str]:
    """Top-level keys that nothing reads and that are nearly the name of something that is read.

    Others are variables, which configs may have.

    Example:
        >>> list(misspelt_keys(['train_cgf', 'norm_cfg', 'model']))
        ['train_cgf is read by nothing; did you mean train_cfg?']
    """
    for key in keys:
        if key not in READ and key not in VARIABLES and (meant := nearest(key, READ)):
            yield f'{key} is read by nothing; did you mean {meant}?'


def nearest(word: str, known: Collection[str]) -> str | None:
    """Of some words the one that another is a slip of: one edit away, or two where it is long; None where there is none."""
    distance, name = min((edits(word, name), name) for name in known)
    return name if distance <= (2 if len(word) >= LONG else 1) else None


def edits(first: str, second: str) -> int:
    """Letters left out, added, replaced or exchanged with their neighbour between two words.

    The distance of Damerau and Levenshtein, in which no part of a word is edited twice.

    Example:
        >>> edits('load_form', 'load_from'), edits('resum', 'resume'), edits('val', 'train')
        (1, 1, 4)
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(second, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and other == first[i - 2]:
                best = min(best, last[j - 2] + 1)
            row.append(best)
    return row[-1]


def old_key_problems(cfg: Config) -> Iterator[str]:
    """What MMSegmentation 0.x read at top level, as it is called today."""
    for key, today in OLD_KEYS.items():
        if key in cfg and _is_meant(key, cfg):
            yield f'{key} is of MMSegmentation 0.x and read by nothing; it is {today} today'


def _is_meant(key: str, cfg: Config) -> bool:
    """Whether a value is one of 0.x, and no variable of the config under the same name."""
    value = cfg[key]
    match key:
        case 'workflow':
            return isinstance(value, list)
        case 'resume_from':
            return value is not None
        case 'data':
            return isinstance(value, Mapping) and bool(value.keys() & {'samples_per_gpu', 'train', 'val', 'test'})
        case 'optimizer':  # MMSegmentation's own schedules make optim_wrapper of it
            return 'optim_wrapper' not in cfg or _assigns(cfg, key, unlike='optim_wrapper')
        case 'runner':  # a config of MMSegmentation still says so, and the same in train_cfg
            wanted, length = ((cfg.get(name) or {}).get('max_iters') for name in ('runner', 'train_cfg'))
            return isinstance(value, Mapping) and _assigns(cfg, key, unlike='train_cfg') and wanted != length
    return isinstance(value, Mapping)


def _assigns(cfg: Config, name: str, unlike: str) -> bool:
    """Whether the config's own file, bases aside, sets a name and does not set another."""
    if cfg.filename is None or Path(cfg.filename).suffix != '.py':
        return name in cfg and unlike not in cfg
    own = {
        target.id
        for node in ast.parse(Path(cfg.filename).read_text(encoding='utf-8')).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return name in own and unlike not in own
