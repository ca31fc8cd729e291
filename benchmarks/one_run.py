"""Train, validate and test one run; compare.py starts this once per run, each in a process of its own."""

import fcntl
import hashlib
import json
import re
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import mmengine
import mmseg
import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

import simeps_mmseg
from benchmarks import results
from benchmarks.hooks import DeadlineHook, ImageCountHook, RecordHook, per_step
from benchmarks.measuring import device_name, found_device, peak_mib
from benchmarks.place import BUSY, DONE, FAILED, UNFINISHED, Place
from benchmarks.protocols import SUPERVISED_METHODS, VALIDATIONS, find_leaf, name_of, protocol_of, public_set, starts_of
from benchmarks.state import (
    BEST,
    DECIDING,
    best_weights,
    latest_checkpoint,
    load,
    restore_state,
    save_state,
    weights_only,
)
from simeps_mmseg.apis.train import prepare_model
from simeps_mmseg.conversion import joined_networks
from simeps_mmseg.datasets.checks.missing_data import check_data_is_there
from simeps_mmseg.datasets.splits import checksum, read_split
from simeps_mmseg.deploy.stock_config import number_of_branches
from simeps_mmseg.engine.hooks.whole_checkpoint import WHOLE_FILES
from simeps_mmseg.utils import UserError, report_user_errors
from simeps_mmseg.utils.checkpoint import save_checkpoint
from simeps_mmseg.utils.config_tree import walk_dicts
from simeps_mmseg.utils.configs import merge_options
from simeps_mmseg.utils.kept_memory import keep_freed_memory


def main(argument: str) -> int:
    """Train the run that a JSON text describes, beside its :class:`Place`."""
    task = json.loads(argument)
    place = Place(**task['place'])
    code = FAILED

    def tool() -> None:
        nonlocal code
        if place.threads:
            torch.set_num_threads(place.threads)
        with only_one(place.folder(task['run'])) as free:
            code = BUSY if not free else DONE if train_and_score(task['run'], place) else UNFINISHED

    return report_user_errors(tool) or code


@contextmanager
def only_one(folder: Path, wait: bool = False):
    """Whether no other process trains in this folder; ``wait`` until none does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'lock').open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def train_and_score(run: dict, place: Place) -> dict | None:
    """Train a run, or go on with it; once trained, score it and append its line.

    Returns:
        The line; None if the time was over before.
    """
    folder, state = place.folder(run), place.state_file(run)
    deadline, images = DeadlineHook(place.end), ImageCountHook()
    if state and state.is_file() and latest_checkpoint(folder) is None:
        restore_state(state, folder)
    start = None
    if run['start'] and latest_checkpoint(folder) is None:
        start = start_weights(run, place, folder / 'start.pth')
        if start is None:
            return None
    cfg = experiment(run)
    digest = config_hash(cfg)
    precision = settle(cfg, run, place)
    if start:
        cfg.update(resume=False, load_from=str(start))
    runner = Runner.from_cfg(cfg)
    record = RecordHook(digest, images)
    for hook in (deadline, images, record):
        runner.register_hook(hook)
    runner.train()
    peak = peak_mib(found_device())
    record.record['peak_memory_mib'] = max(peak, record.record.get('peak_memory_mib', 0))
    # Once more, now that the record has everything up to here, the last validation included.
    meta = dict(epoch=runner.epoch, iter=runner.iter)
    backend = dict(backend=WHOLE_FILES)
    runner.save_checkpoint(str(folder), f'iter_{runner.iter}.pth', meta=meta, by_epoch=False, backend_args=backend)
    if state:
        save_state(folder, state)
    if runner.iter < run['iters'] or deadline.over:
        print(f'stopped after {runner.iter} of {run["iters"]} steps', flush=True)
        return None
    line = dict(
        run=run,
        protocol=protocol_of(run),
        config_hash=digest,
        steps=runner.iter,
        **labels_of(runner),
        **scores_of(runner, record.record['validations'], folder),
        pseudo_labels=record.record.get('pseudo_labels', {}),
        **cost_of(runner, record.record, place),
        precision=precision,
        versions=dict(
            simeps_mmseg=simeps_mmseg.__version__,
            torch=torch.__version__,
            mmengine=mmengine.__version__,
            mmseg=mmseg.__version__,
        ),
    )
    if place.keep_weights:
        weights = load(folder / f'iter_{run["iters"]}.pth')
        torch.save(weights_only(weights), (Path(place.state or folder)) / f'{name_of(run)}_weights.pth')
    results.append(Path(place.results), line)
    if state:
        state.unlink(missing_ok=True)
    return line


def start_weights(run: dict, place: Place, joined: Path) -> Path | None:
    """The networks on labels alone that a run starts from, trained now if they are not there.

    Args:
        run: The run.
        place: Where it is trained.
        joined: The file to write where there is one network for each branch.

    Returns:
        Their weights that were best on validation, which is what somebody would go on from; None if the time was over before.

    Raises:
        UserError: If there are several, and not one for each branch.
    """
    starts = starts_of(run)
    if len(starts) > 1 and (count := number_of_branches(experiment(run).model)) != len(starts):
        raise UserError(f'--starts {len(starts)}: {run["method"]} trains {max(count, 1)} networks')
    found = []
    for before in starts:
        folder = place.folder(before)
        last = folder / f'iter_{before["iters"]}.pth'
        with only_one(folder, wait=True):
            if not last.is_file():
                train_and_score(before, place)
        if not last.is_file():
            return None
        found.append(best_weights(folder))
    return in_one_file(found, joined)


def in_one_file(networks: Sequence[Path], joined: Path) -> Path:
    """The only network of one on labels, or a file with all of them, a branch each, which is written then."""
    if len(networks) == 1:
        return networks[0]
    joined.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(joined_networks(networks, len(networks)), joined)
    return joined


# -- the experiment --------------------------------------------------------------------------------------------------


def experiment(run: dict) -> Config:
    """The config of a run: the leaf in configs/ with its labels, size, schedule and batch. The same on every machine."""
    leaf = find_leaf(ROOT / 'configs', run['method'], run['model'], run['dataset'])
    # Every checkpoint has the config as text, and to lay that out neatly takes a second or two each time. (fromfile has an
    # option for that which it does not pass on.)
    cfg = Config(Config.fromfile(leaf)._cfg_dict, filename=str(leaf), format_python_code=False)
    _use_dataset(cfg, run['dataset'])
    _use_labels(cfg, run)
    _use_images(cfg, run)
    use_batch(cfg, run['batch'])
    _use_schedule(cfg, run['iters'])
    cfg.randomness = dict(seed=run['seed'])
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='ChannelsLastHook')]
    merge_options(cfg, run['options'])
    return cfg


def _use_dataset(cfg: Config, dataset: str) -> None:
    """Put a public set in the place of the one of the leaf, and as many classes into the heads."""
    found = public_set(dataset)
    if found is None:
        return
    source = Config.fromfile(found).source
    for _, node in walk_dicts(cfg._cfg_dict):
        if 'data_root' in node:
            node.update(source)
        if 'num_classes' in node:
            node['num_classes'] = len(source.metainfo.classes)


def _use_labels(cfg: Config, run: dict) -> None:
    """Split files of this seed and percentage. prepare_data.py writes all labels there are to train.txt."""
    if run['percent'] >= 100 and run['method'] not in SUPERVISED_METHODS:
        raise UserError(
            f'100 % of the labels leave no unlabelled images for {run["method"]}: '
            f'only {" and ".join(SUPERVISED_METHODS)} take that'
        )
    folder = f'splits/seed{run["split_seed"]}'
    if run['percent'] >= 100:
        cfg.train_dataloader.dataset.ann_file = f'{folder}/train.txt'
    else:
        use_split(cfg, f'{folder}/{run["percent"]:g}pct')
    cfg.val_dataloader.dataset.ann_file = f'{folder}/val.txt'


def use_split(cfg: Config, split: str) -> None:
    """Train on the labels that a split names, ``<split>_labeled.txt``, whether there are unlabelled images or not."""
    dataset = cfg.train_dataloader.dataset
    if dataset.type == 'LabeledUnlabeledDataset':
        dataset.split = split
    else:
        dataset.ann_file = f'{split}_labeled.txt'


def _use_images(cfg: Config, run: dict) -> None:
    for _, node in walk_dicts(cfg._cfg_dict):
        if 'pipeline' in node and not run['flips']:
            node['pipeline'] = [step for step in node['pipeline'] if step['type'] != 'RandomFlip']
        if node.get('type') == 'Resize':
            node['scale'] = (run['size'], run['size'])


def use_batch(cfg: Config, batch: int) -> None:
    """Set the number of labelled images in a step, the same for every method."""
    sampler = cfg.train_dataloader.sampler
    if 'num_labeled' in sampler:
        sampler.update(num_labeled=batch, num_unlabeled=batch)
    cfg.train_dataloader.batch_size = 2 * batch if 'num_labeled' in sampler else batch


def _use_schedule(cfg: Config, iters: int) -> None:
    """Set the number of steps, the same for every method; validation, and with it the choice of the best, at the same steps.

    A schedule that looks at validation keeps its own interval.
    """
    before = cfg.train_cfg.max_iters
    cfg.train_cfg.update(max_iters=iters, val_begin=1)
    if any(scheduler.type.startswith('ReduceOnPlateau') for scheduler in cfg.param_scheduler):
        ending = cfg.param_scheduler
    else:
        cfg.train_cfg.val_interval = -(-iters // VALIDATIONS)
        ending = [scheduler for scheduler in cfg.param_scheduler if scheduler.get('end') == before]
    if not ending:
        raise UserError(
            f'param_scheduler: none ends with the schedule (end={before}), so it cannot be shortened with it'
        )
    for scheduler in ending:
        scheduler.end = iters
    checkpoints = cfg.default_hooks.checkpoint
    checkpoints.update(
        by_epoch=False, interval=max(1, min(1000, iters // 8)), max_keep_ckpts=2, save_best=DECIDING, rule='greater'
    )


EXPERIMENT = (  # the keys of a config that say what is trained, on what, and how it is scored
    'model',
    *(f'{part}_dataloader' for part in ('train', 'val', 'test')),
    *(f'{part}_evaluator' for part in ('val', 'test')),
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'custom_hooks',
    'randomness',
)


def config_hash(cfg: Config) -> str:
    """Twelve hexadecimal digits that identify what is trained, on what, and how it is scored.

    Not how it is logged, drawn, kept or sped up: a line is not outdated by another visualizer, by a fused optimiser, or by
    larger batches at validation. Without ``batch_renorm`` is the same as with ``batch_renorm=False``.
    """
    content = ConfigDict({key: cfg[key] for key in EXPERIMENT if key in cfg}).to_dict()
    content['save_best'] = cfg.default_hooks.checkpoint.get('save_best')
    content['optim_wrapper'].get('optimizer', {}).pop('fused', None)
    if content['model'].get('batch_renorm') is False:
        del content['model']['batch_renorm']
    for part in {'val_dataloader', 'test_dataloader'} & content.keys():
        content[part]['batch_size'] = 1
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def settle(cfg: Config, run: dict, place: Place) -> str:
    """Fit an experiment to this machine, in place.

    Returns:
        The precision that it trains in.
    """
    on_gpu = torch.cuda.is_available()
    for _, node in walk_dicts(cfg._cfg_dict):
        if 'data_root' in node:
            node['data_root'] = str(Path(place.data_root).absolute() / Path(node['data_root']).name)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=place.workers, persistent_workers=place.workers > 0)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.batch_size = 16 if on_gpu else 1
    cfg.launcher = 'none'
    keep_freed_memory()
    check_data_is_there(cfg)
    prepare_model(cfg, from_scratch=False)
    cfg.work_dir = str(place.folder(run))
    cfg.resume = True
    cfg.load_from = None
    cfg.experiment_name = f'{name_of(run)}_{time.time_ns()}'  # runners of one name in one process share their log
    precision = run['precision']
    if precision == 'auto':
        precision = 'bfloat16' if bfloat16_is_fast() else 'float32'
    use_precision(cfg, precision, on_gpu)
    return precision


def bfloat16_is_fast() -> bool:
    """Whether this machine computes bfloat16 in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    cpuinfo = Path('/proc/cpuinfo')
    return cpuinfo.exists() and computes_bfloat16(cpuinfo.read_text())


def computes_bfloat16(cpuinfo: str) -> bool:
    """Whether the processor that Linux describes has instructions for bfloat16."""
    flags = re.search(r'^flags\s*:(.*)$', cpuinfo, re.MULTILINE)
    return bool(flags) and not {'avx512_bf16', 'amx_bf16'}.isdisjoint(flags[1].split())


def use_precision(cfg: Config, precision: str, on_gpu: bool) -> None:
    """Turn the plain optimiser wrapper into one with bfloat16 autocast, in place; float32 leaves it."""
    if precision == 'float32':
        return
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind != 'OptimWrapper':
        raise UserError(f'--precision {precision} changes optim_wrapper.type=OptimWrapper only, the config has {kind}')
    if on_gpu:
        # bfloat16 has the range of float32: a scale of 1 makes the wrapper's loss scaler do nothing.
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
    else:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'


# -- the line --------------------------------------------------------------------------------------------------------


def labels_of(runner: Runner) -> dict:
    """Which images, and how many of them, a run has drawn."""
    loader = runner.train_dataloader
    sources = getattr(loader.dataset, 'datasets', [loader.dataset])
    labeled = getattr(loader.sampler, 'num_labeled', loader.batch_size)
    unlabeled = getattr(loader.sampler, 'num_unlabeled', 0)
    return dict(
        labeled=len(sources[0]),
        unlabeled=sum(map(len, sources[1:])),
        labeled_checksum=checksum(read_split(Path(sources[0].ann_file))),
        images_seen=dict(labeled=labeled * runner.iter, unlabeled=unlabeled * runner.iter),
    )


def scores_of(runner: Runner, validations: dict[str, dict], folder: Path) -> dict:
    """Test scores of the last weights and of those that were best on validation. The test set selects nothing."""
    history = {int(step): scores for step, scores in validations.items()}
    last = dict(iter=runner.iter, val=history[runner.iter], test=results.kept(runner.test()))
    best_iter = best_of(history)
    if best_iter == runner.iter:
        best = last
    else:
        runner.load_checkpoint(str(folder / BEST.format(best_iter)), map_location='cpu')
        best = dict(iter=best_iter, val=history[best_iter], test=results.kept(runner.test()))
    curve = {str(step): scores[DECIDING] for step, scores in sorted(history.items())}
    return dict(last=last, best=best, best_iter=best_iter, validations=curve)


def best_of(history: dict[int, dict]) -> int:
    """The step with the best validation; of equal ones the first, as CheckpointHook chooses."""
    scores = {step: values[DECIDING] for step, values in sorted(history.items())}
    return max(scores, key=lambda step: float('-inf') if scores[step] is None else scores[step])


def cost_of(runner: Runner, record: dict, place: Place) -> dict:
    """What a run took."""
    times, _ = runner.message_hub.get_scalar('train/time').data
    return dict(
        parameters=sum(p.numel() for p in runner.model.parameters()),
        images_per_step=per_step(record['images']),
        seconds=round(record['seconds'], 1),
        seconds_per_step=round(statistics.median(map(float, times)), 4),
        slices=record['slices'],
        peak_memory_mib=record['peak_memory_mib'],
        device=device_name(found_device()),
        jobs=place.jobs,
    )


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
