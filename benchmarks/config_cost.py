"""What a training step of each shipped config costs: time, and peak memory.

    python benchmarks/config_cost.py                                    # all configs that have no line yet: hours on a CPU
    python benchmarks/config_cost.py --configs simeps/deeplabv3_neu_10pct
    python benchmarks/config_cost.py --update                           # the table of docs/performance.md

A step is ``train_step`` over one fixed batch of noise, of the config's own size and number of images, in float32, without
pretrained weights. Beside it stands a step of the config's labels-only twin (``configs/supervised/``, same file name) over the
same images, all labelled. Each has a process of its own, which keeps the memory that it frees, as ``simeps train`` does. Its
peak is that of two first steps, less what it took before. Then both take turns, five or as many as begin within a minute;
times are medians over these. One JSON line a config, written at once. Configs whose steps do the same work, as those of one
network on two data sets do, are measured once.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from benchmarks.measuring import device_name, found_device, peak_mib, seconds_of
from benchmarks.pages import ResultsTable
from benchmarks.protocols import SUPERVISED
from benchmarks.results import append, lines_of
from benchmarks.steps import from_scratch, make_step_of
from benchmarks.turns import Step, take_turns
from simeps_mmseg.utils.kept_memory import keep_freed_memory

ROUNDS = 5
SECONDS = 60  # no later round begins after these
# What does not decide the cost of a step: weights, which of two reductions, and the few channels of the last layer.
NO_WORK = ('class_weight', 'ensemble', 'loss_weight', 'num_classes')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--configs', nargs='+', default=configs(), help='below configs/, without .py')
    parser.add_argument('--device', default=found_device())
    args = TABLE.parse(parser)
    device = device_name(args.device)
    work = {name: work_of(Config.fromfile(ROOT / f'configs/{name}.py')) for name in configs()}
    done = [work[line['config']] for line in lines_of(args.results) if line['device'] == device]
    for name in args.configs:
        if work[name] not in done:
            same = [other for other in work if other != name and work[other] == work[name]]
            what = dict(what='config_cost', config=name, same=same, device=device, torch=torch.__version__)
            line = dict(**what, **cost(name, args.device))
            append(args.results, line)
            print(json.dumps(line), flush=True)
            done.append(work[name])


def configs() -> list[str]:
    """All configs but those of labels only, as folder and file name; those of NEU-Seg first."""
    files = sorted((ROOT / 'configs').glob('[!_]*/*.py'))
    names = [f'{file.parent.name}/{file.stem}' for file in files if file.parent.name != SUPERVISED]
    return sorted(names, key=lambda name: ('_neu_' not in name, name))


def work_of(cfg: Config) -> tuple:
    """What decides the cost of a step; equal for configs whose steps do the same work."""
    return without(cfg.model, NO_WORK), tuple(cfg.image_size), dict(cfg.train_dataloader.sampler)


def without(value: Any, keys: Collection[str]) -> Any:
    """A config without some keys, at any depth."""
    if isinstance(value, dict):
        return {key: without(inner, keys) for key, inner in value.items() if key not in keys}
    return [without(inner, keys) for inner in value] if isinstance(value, list | tuple) else value


def twin(name: str) -> str | None:
    """The labels-only config of the same file name; None if there is none.

    Example:
        >>> twin('simeps/unet_neu_10pct')
        'supervised/unet_neu_10pct'
    """
    found = f'{SUPERVISED}/{name.rpartition("/")[2]}'
    return found if (ROOT / f'configs/{found}.py').is_file() else None


def cost(name: str, device: str) -> dict:
    """What a config's step takes, and that of its twin over as many images."""
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    images, size = cfg.train_dataloader.batch_size, tuple(cfg.image_size)
    labeled = cfg.train_dataloader.sampler.get('num_labeled', images)
    names = dict(step=name, labels_only=twin(name))
    makers = {
        which: partial(prepare, found, size, images, labeled if which == 'step' else images, device)
        for which, found in names.items()
        if found
    }
    reports, times = take_turns(makers, ROUNDS, device, seconds=SECONDS)
    line: dict = dict(size=size, labeled=labeled, images=images, rounds=len(times['step']), labels_only=None)
    for which, report in reports.items():
        line[which] = dict(**report, seconds=round(statistics.median(times[which]), 3))
    return line


def prepare(name: str, size: tuple[int, int], images: int, labeled: int, device: str) -> tuple[Step, dict]:
    """A step of a config, after two that are not timed; parameters that learn, in millions, and peak memory in MiB."""
    init_default_scope('mmseg')
    keep_freed_memory()
    model_cfg = from_scratch(Config.fromfile(ROOT / f'configs/{name}.py'))
    at_rest = peak_mib(device)
    model, step = make_step_of(model_cfg, size, images, labeled, 'float32', device, classes=2)
    timed = partial(seconds_of, step, 1, device)
    for _ in range(2):
        timed()
    learning = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return timed, dict(parameters=round(learning / 1e6, 1), peak_mib=peak_mib(device) - at_rest)


def markdown(lines: Sequence[dict]) -> str:
    """One row per config and device: the last line of each, under the names of all configs that do the same work."""
    newest = {(line['device'], line['config']): line for line in lines}
    rows = [
        '| config | images a step | parameters, million | step, s | beside labels only | rounds | peak, MiB | beside '
        'labels only |',
        '|---|---|---|---|---|---|---|---|',
    ]
    for (_, config), line in sorted(newest.items()):
        height, width = line['size']
        names = ', '.join(f'`{name}`' for name in (config, *line['same']))
        step, plain = line['step'], line['labels_only']
        beside = {key: f'{step[key] / plain[key]:.1f}' if plain else '' for key in ('seconds', 'peak_mib')}
        rows.append(
            f'| {names} | {line["labeled"]} + {line["images"] - line["labeled"]} of {height} x {width} '
            f'| {step["parameters"]:,} | {step["seconds"]:.3g} | {beside["seconds"]} '
            f'| {line.get("rounds", ROUNDS)} | {step["peak_mib"]:,} | {beside["peak_mib"]} |'
        )
    rows.append(f'\nDevice: {"; ".join(sorted({device for device, _ in newest}))}.')
    return '\n'.join(rows) + '\n'


TABLE = ResultsTable('config_cost', 'performance.md', markdown)

if __name__ == '__main__':
    main()
