"""What is held equal between the runs of one table, under a name; and what makes two runs the same run."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

# The fields of a run that are its protocol, all but the network: `model` is the first part of the config's file name.
# batch: labelled images per step; as many unlabelled ones for methods that use them.
# flips: whether images are flipped at random, as the configs do. `short` was measured first and has none: with 1 % of the
# labels of NEU-Seg they are worth four points to labels only.
# start: steps on labels alone of the network that every method starts from, labels only too; 0: from nothing.
# starts: of how many such networks, one for each branch: those of this seed and the next ones.
# precision: auto is bfloat16 autocast where the hardware has it, else float32 (bfloat16 in software is 10 to 25 times slower).
PROTOCOLS = {
    'short': dict(model='unet', size=128, batch=8, iters=1500, flips=False, precision='auto'),
    'small': dict(model='unet', size=128, batch=8, iters=2000, flips=True, precision='auto'),
    'medium': dict(model='unet', size=128, batch=8, iters=8000, flips=True, precision='auto'),
    'tiny': dict(model='unet', size=64, batch=8, iters=1000, flips=True, precision='auto'),
    'warm': dict(model='unet', size=96, batch=4, iters=1200, start=3000, flips=True, precision='auto'),
    'paper': dict(model='dropout_unet', size=256, batch=16, iters=48000, flips=True, precision='auto'),
}
COMMON = ('size', 'batch', 'iters', 'flips', 'precision', 'start', 'starts')
PRECISIONS = ('auto', 'float32', 'bfloat16')
VALIDATIONS = 4  # equally spaced, the last one at the end
SUPERVISED = 'supervised'
SUPERVISED_METHODS = (SUPERVISED, 'ensemble')
# What is timed on a GPU: methods, and networks with image size and labelled images.
GPU_METHODS = (SUPERVISED, 'simeps', 'simeps_plus')
GPU_NETWORKS = (('unet', 256, 16), ('deeplabv3', 256, 8), ('deeplabv3', 512, 4))

# Together they identify a run. The values are those of lines that were written before the field existed.
FIELDS = dict(
    method=None,
    model=None,
    dataset=None,
    percent=None,
    seed=None,
    split_seed=0,
    iters=None,
    size=None,
    batch=None,
    flips=True,
    precision='auto',
    start=0,
    starts=1,
    options=(),
)
PUBLIC_SETS = Path(__file__).resolve().parent / 'public_sets/configs'


def expand(
    protocol: dict,
    methods: Iterable[str],
    datasets: Iterable[str],
    percents: Iterable[float],
    seeds: Iterable[int],
    split_seeds: Iterable[int] = (0,),
    options: Iterable[str] = (),
) -> Iterator[dict]:
    """The runs of a grid; all methods under one seed come before the next seed, so that a cut-off grid can be compared.

    With all labels there are no unlabelled images, so 100 % is for ``SUPERVISED_METHODS`` alone.

    Example:
        >>> runs = expand(PROTOCOLS['tiny'], ['supervised', 'cps'], ['neu'], [10, 100], seeds=[0])
        >>> [(run['method'], run['percent']) for run in runs]
        [('supervised', 10), ('cps', 10), ('supervised', 100)]
    """
    for seed, split_seed, dataset, percent, method in product(seeds, split_seeds, datasets, percents, methods):
        if percent < 100 or method in SUPERVISED_METHODS:
            yield identity(
                dict(
                    protocol,
                    method=method,
                    dataset=dataset,
                    percent=percent,
                    seed=seed,
                    split_seed=split_seed,
                    options=list(options),
                )
            )


def identity(run: dict) -> dict:
    """The fields that identify a run, in their order, whoever wrote them."""
    known = {key: run.get(key, default) for key, default in FIELDS.items()}
    percent = known['percent']
    known.update(percent=int(percent) if percent == int(percent) else percent, options=list(known['options']))
    if known['starts'] == FIELDS['starts']:
        del known['starts']  # names, and so the states of unfinished runs, stay those from before there was a choice
    return known


def starts_of(run: dict) -> list[dict]:
    """The runs on labels alone whose networks a run starts from: one for all branches, or one for each."""
    before = {**run, 'method': SUPERVISED, 'iters': run['start'], 'start': 0, 'starts': 1, 'options': ()}
    return [identity({**before, 'seed': run['seed'] + k}) for k in range(run.get('starts', 1))]


def name_of(run: dict) -> str:
    """Readable, and different for runs that differ in anything."""
    run = identity(run)
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:8]
    split = f'split{run["split_seed"]}_' if run['split_seed'] else ''
    start = f'{run["method"]}_{run["model"]}_{run["dataset"]}_{run["percent"]:g}pct'
    return f'{start}_{split}seed{run["seed"]}_{digest}'


def protocol_of(run: dict) -> str:
    """Name of the protocol that a run followed; its values where it has no name.

    Example:
        >>> protocol_of(dict(iters=1500, size=128, batch=8, flips=False))
        'short'
        >>> protocol_of(dict(iters=20, size=128, batch=8))
        '128x128, 8 per step, 20 steps, flips'
    """
    values = {key: run.get(key, FIELDS[key]) for key in COMMON}
    for name, protocol in PROTOCOLS.items():
        if all(protocol.get(key, FIELDS[key]) == value for key, value in values.items()):
            return name
    networks = f'{values["starts"]} networks of ' if values['starts'] > 1 else ''
    start = f', from {networks}{values["start"]} steps on labels' if values['start'] else ''
    precision = '' if values['precision'] == 'auto' else f', {values["precision"]}'
    return (
        f'{values["size"]}x{values["size"]}, {values["batch"]} per step, {values["iters"]} steps, '
        f'{"flips" if values["flips"] else "no flips"}{precision}{start}'
    )


def public_set(dataset: str) -> Path | None:
    """The data set config of a public set; None for those that the package knows."""
    return next(iter(sorted(PUBLIC_SETS.glob(f'{dataset}_*pct.py'))), None)


def find_leaf(configs: Path, method: str, model: str, dataset: str) -> Path:
    """The config of a run, whatever its percentage: the split is one key of it.

    A public set (``benchmarks/public_sets``) has no config of a method: it takes the place of NEU-Seg in its.

    Raises:
        FileNotFoundError: If the method has no config for this network and data set.
    """
    folder = configs / method
    stem = f'{model}_{"neu" if public_set(dataset) else dataset}'
    wanted = folder / f'{stem}_10pct.py'
    for path in (wanted, *sorted(folder.glob(f'{stem}_*pct.py'))):
        if path.is_file():
            return path
    there = sorted(path.stem for path in folder.glob('*.py'))
    raise FileNotFoundError(
        f'{wanted} is not there: '
        + (f'{folder} has {", ".join(there)}; choose with --model and --datasets' if there else 'no such --methods')
    )
