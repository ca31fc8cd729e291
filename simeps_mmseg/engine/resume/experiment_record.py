"""What a training was, in its checkpoints, and what it would be after a resume."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from itertools import islice

from mmengine.dist import get_world_size
from mmengine.runner import Runner
from torch.utils.data import Dataset

from ...datasets.listing import image_paths
from ...utils.config_tree import leaf_values
from ...utils.dataset_tree import leaf_datasets
from .rate import RATE, rate_ratio

SCHEDULE = 'param_scheduler'
COMPARED = ('model', 'optim_wrapper', SCHEDULE, 'train_dataloader', 'custom_hooks', 'randomness')
# What they are taken from does not matter: a folder may move, and workers change nothing.
PASSED_OVER = (
    'cache_bytes',
    'data_root',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'init_cfg',
    'pretrained',
)
AT_A_TIME = 65_536  # names that are text at the same time
PROCESSES, BATCH, IMAGES = 'processes', 'images per step', 'images'
OPTIMIZER = 'optim_wrapper.optimizer.type'


def experiment_record(runner: Runner) -> dict[str, str]:
    """Key and value of what decides over a training: the parts of the config, the images and the processes."""
    parts = {part: runner.cfg.get(part) for part in COMPARED}
    if 'type' in (parts[SCHEDULE] or ()):  # one is the same as a list of one
        parts[SCHEDULE] = [parts[SCHEDULE]]
    record = {key: value for part, node in parts.items() for key, value in leaf_values(node, part, PASSED_OVER)}
    loader = runner.train_dataloader
    sampler = loader.sampler
    shares = [getattr(sampler, name) for name in ('num_labeled', 'num_unlabeled') if hasattr(sampler, name)]
    processes = get_world_size()
    record[PROCESSES] = str(processes)
    record[BATCH] = ' + '.join(str(share * processes) for share in shares or [loader.batch_size or 0])
    sources = getattr(loader.dataset, 'datasets', [loader.dataset])
    for index, source in enumerate(sources):
        digest = images_digest(source)
        if digest is not None:
            record[f'{IMAGES}[{index}]'] = digest
    return record


def images_digest(source: Dataset) -> str | None:
    """How many images a data set has, and a checksum of their names in their order; None if it does not know their names."""
    if not all(hasattr(leaf, 'get_data_info') for leaf in leaf_datasets(source)):
        return None
    count, digest = 0, hashlib.sha256()
    try:
        paths = image_paths(source)
        while names := [os.path.basename(path) for path in islice(paths, AT_A_TIME)]:
            digest.update(('\n' * bool(count) + '\n'.join(names)).encode('utf-8', 'surrogateescape'))
            count += len(names)
    except KeyError:  # no img_path
        return None
    return f'{count} ({digest.hexdigest()[:8]})'


def refusals(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Why a training cannot go on exactly: its optimiser, how many images a step takes, or the kind of a schedule."""
    for key, advice in (
        (OPTIMIZER, 'its state is of no use to another'),
        (
            BATCH,
            'the position in the stream of images counts such steps, so images would be passed over or drawn twice. Several '
            'processes share a step: train_dataloader.batch_size and the shares of its sampler, times processes',
        ),
    ):
        if key in before and key in now and before[key] != now[key]:
            yield f'{key} was {before[key]} and is {now[key]}: {advice}'
    for key in sorted(before.keys() & now.keys()):
        if _is_schedule(key) and key.endswith('.type') and _class_name(before[key]) != _class_name(now[key]):
            yield f'{key} was {before[key]} and is {now[key]}: the state of one schedule is of no use to another'


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What else differs, one line each."""
    lines = []
    keys = {*before, *now} - {OPTIMIZER, BATCH}
    if not any(map(_is_schedule, before)):  # there was none, which is refused, or the record did not have them yet
        keys -= {key for key in now if _is_schedule(key)}
    for key in sorted(keys):
        was, is_ = before.get(key, 'not there'), now.get(key, 'not there')
        if was != is_:
            effect = ''
            if key == RATE:
                ratio = rate_ratio(before, now)
                effect = f'; the schedule goes on at {ratio:g} times its rates' if ratio != 1 else '; its rates go on'
            elif _is_schedule(key) and any(map(_is_schedule, now)):  # the same kinds, whose state mmengine restores
                effect = '; the schedule goes on as it was'
            lines.append(f'{key} was {was} and is {is_}{effect}')
    return lines


def _is_schedule(key: str) -> bool:
    return key.startswith(SCHEDULE)


def _class_name(kind: str) -> str:
    """Of a type as the record has it: text with or without scope or module, or the class.

    Example:
        >>> _class_name("'PolyLR'"), _class_name("'mmengine.PolyLR'"), _class_name("<class 'mmengine.optim.PolyLR'>")
        ('PolyLR', 'PolyLR', 'PolyLR')
    """
    return re.findall(r'\w+', kind)[-1]
