"""Train methods on the same labels for the same number of steps, and keep one JSON line per finished run.

    python benchmarks/compare.py --methods supervised simeps --fractions 1 10 --seeds 0 1

A run is a method, a percentage of labels and a seed (of the initialisation and the order of the images; the split is
--split-seed). Runs are trained one after the other, each in a process of its own; finished ones are in the results file and
are passed over, an interrupted one continues from its last checkpoint. All scores are of the last iteration; nothing is
selected. The table of the results: python benchmarks/table.py.
"""

import argparse
import hashlib
import json
import platform
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCORES = ('mIoU_image', 'mIoU', 'mIoU_fg', 'mDice_image')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--methods', nargs='+', default=['supervised', 'simeps'], help='folders below configs/')
    parser.add_argument('--model', default='unet', help='first part of the config name')
    parser.add_argument('--dataset', default='neu', help='second part of the config name')
    parser.add_argument('--fractions', nargs='+', type=int, default=[1, 10], help='percentages of labels')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    parser.add_argument('--split-seed', type=int, default=0, help='which splits of prepare_data.py')
    parser.add_argument('--iters', type=int, default=1500)
    parser.add_argument('--size', type=int, default=128, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=8, help='labelled images per step; as many unlabelled ones')
    parser.add_argument(
        '--flips',
        action='store_true',
        help='flip images at random, as the configs do',
    )
    parser.add_argument('--data-root', default='data', help='folder that prepare_data.py wrote to')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/compare'))
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks/results/small.jsonl')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='further changes, key=value; part of the run')
    parser.add_argument('--run', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.run:
        train_and_score(json.loads(args.run), args)
        return 0
    runs = [
        dict(
            method=method,
            model=args.model,
            dataset=args.dataset,
            percent=percent,
            seed=seed,
            split_seed=args.split_seed,
            iters=args.iters,
            size=args.size,
            batch=args.batch,
            flips=args.flips,
            options=args.cfg_options,
        )
        for seed in args.seeds
        for percent in args.fractions
        for method in args.methods
    ]
    failed = 0
    for number, run in enumerate(runs, 1):
        done = any(line['run'] == run for line in read_results(args.results))
        print(f'[{number}/{len(runs)}] {name_of(run)}: {"done before" if done else "training"}', flush=True)
        if not done:
            failed += subprocess.call([sys.executable, __file__, *sys.argv[1:], '--run', json.dumps(run)]) != 0
    return 1 if failed else 0


def read_results(path: Path) -> list[dict]:
    """The lines of a results file; none if it is not there."""
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def name_of(run: dict) -> str:
    """Readable, and different for runs that differ in anything."""
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:8]
    return f'{run["method"]}_{run["model"]}_{run["dataset"]}_{run["percent"]}pct_seed{run["seed"]}_{digest}'


def experiment(run: dict, args: argparse.Namespace):
    """The config of a run: the leaf in configs/, at the size, schedule and batch of the protocol."""
    from mmengine.config import Config

    from simeps_mmseg.apis.config import merge_options
    from simeps_mmseg.models.utils import walk_dicts

    method, percent, batch = run['method'], run['percent'], run['batch']
    cfg = Config.fromfile(ROOT / f'configs/{method}/{run["model"]}_{run["dataset"]}_{percent}pct.py')
    for _, node in walk_dicts(cfg._cfg_dict):
        if 'pipeline' in node and not run['flips']:
            node['pipeline'] = [step for step in node['pipeline'] if step['type'] != 'RandomFlip']
        if node.get('type') == 'Resize':
            node['scale'] = (run['size'], run['size'])
        if 'data_root' in node and 'ann_file' in node:
            node['data_root'] = str(Path(args.data_root) / Path(node['data_root']).name)
            node['ann_file'] = node['ann_file'].replace('seed0', f'seed{run["split_seed"]}')
    sampler = cfg.train_dataloader.sampler
    if 'num_labeled' in sampler:
        sampler.update(num_labeled=batch, num_unlabeled=batch)
    cfg.train_dataloader.update(batch_size=2 * batch if 'num_labeled' in sampler else batch, num_workers=1)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=1, batch_size=1)
    cfg.train_cfg.update(max_iters=run['iters'], val_begin=run['iters'] + 1)  # scored after training only
    cfg.param_scheduler[0].end = run['iters']
    cfg.default_hooks.checkpoint.update(interval=250, save_best=None)
    cfg.randomness = dict(seed=run['seed'])
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='ChannelsLastHook')]
    merge_options(cfg, run['options'])
    cfg.work_dir = str(args.work_dir / name_of(run))
    cfg.resume = True
    return cfg


def train_and_score(run: dict, args: argparse.Namespace) -> None:
    """Train one run to its end, score it on the test set, append its line."""
    import mmengine
    import mmseg
    import numpy as np
    import torch
    from mmengine.runner import Runner

    import simeps_mmseg
    from simeps_mmseg.datasets.splits import checksum, read_split

    cfg = experiment(run, args)
    runner = Runner.from_cfg(cfg)
    runner.train()
    validation = runner.val_loop.run()
    test = runner.test()
    dataset = runner.train_dataloader.dataset
    labeled = getattr(dataset, 'datasets', [dataset])[0]
    times, _ = runner.message_hub.get_scalar('train/time').data
    line = dict(
        run=run,
        val=kept(validation),
        test=kept(test),
        parameters=sum(p.numel() for p in runner.model.parameters()),
        labeled=len(labeled),
        labeled_checksum=checksum(read_split(Path(labeled.ann_file))),
        images_per_step=cfg.train_dataloader.batch_size * len(getattr(runner.model, 'branches', [None])),
        seconds_per_step=round(float(np.median(times)), 4),
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        device=f'{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads',
        versions=dict(
            simeps_mmseg=simeps_mmseg.__version__,
            torch=torch.__version__,
            mmengine=mmengine.__version__,
            mmseg=mmseg.__version__,
        ),
    )
    args.results.parent.mkdir(parents=True, exist_ok=True)
    with args.results.open('a') as file:
        file.write(json.dumps(line) + '\n')


def kept(metrics: dict) -> dict:
    """The scores that tables are made of: of the model, of each class, of each branch."""
    return {key: value for key, value in metrics.items() if key.split('.')[-1] in SCORES or key.startswith('IoU.')}


if __name__ == '__main__':
    sys.exit(main())
