"""Whether the images that rank_unlabeled.py puts first teach more than random ones.

    python tools/prepare_data.py neu NEU_Seg-main.zip
    python benchmarks/label_next.py --seeds 0 1 2

For each seed (of the initialisation, the order of the images, and the random choice), all from the same split:

1. ``start``: train on 2 % of the labels;
2. choose as many images again, ``ranked``: the first of the ranking by the model of step 1, ``score``: those with the highest
   scores in it, whatever their class, or ``random``: any of the unlabelled ones;
3. train anew on 4 %, from scratch, and score the last iteration on the test set.

One JSON line per finished run; finished ones are passed over, an interrupted one continues from its last checkpoint. The
choice of images is kept as split files in the work folder. At the end a table compares them.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.results import lines_of, spread

SCORES = ('mIoU_image', 'mIoU_fg', 'mIoU')
ARMS = ('start', 'ranked', 'score', 'random')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--percent', type=float, default=2.0, help='labels to start with; as many are added')
    parser.add_argument('--split-seed', type=int, default=0, help='which splits of prepare_data.py')
    parser.add_argument(
        '--config', default='simeps/unet_neu_10pct.py', help='of several networks; its split is replaced'
    )
    parser.add_argument('--iters', type=int, default=1500)
    parser.add_argument('--size', type=int, default=128, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=8, help='labelled images per step; as many others if any')
    parser.add_argument('--similarity', type=float, default=0.999, help='as in rank_unlabeled.py')
    parser.add_argument('--pool', type=int, help='rank only so many of the unlabelled images, for a trial')
    parser.add_argument('--test-images', type=int, help='score only so many, for a trial')
    parser.add_argument('--data-root', type=Path, default=Path('data'), help='folder that prepare_data.py wrote to')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/label_next'))
    parser.add_argument('--results', type=Path, default=ROOT / 'benchmarks/results/label_next.jsonl')
    parser.add_argument('--run', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.run:
        train_and_score(json.loads(args.run), args)
        return 0
    runs = [run_of(arm, seed, args) for seed in args.seeds for arm in ARMS]
    failed = 0
    for number, run in enumerate(runs, 1):
        done = any(line['run'] == run for line in lines_of(args.results))
        print(f'[{number}/{len(runs)}] {name_of(run)}: {"done before" if done else "running"}', flush=True)
        if not done:
            failed += subprocess.call([sys.executable, __file__, *sys.argv[1:], '--run', json.dumps(run)]) != 0
    print(table([line for line in lines_of(args.results) if line['run'] in runs]))
    return 1 if failed else 0


def run_of(arm: str, seed: int, args: argparse.Namespace) -> dict:
    """What identifies a run."""
    keys = ('percent', 'split_seed', 'config', 'iters', 'size', 'batch', 'similarity', 'pool', 'test_images')
    return dict(arm=arm, seed=seed, **{key: getattr(args, key) for key in keys})


def name_of(run: dict) -> str:
    """Readable, and different for runs that differ in anything."""
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:8]
    return f'{run["arm"]}_seed{run["seed"]}_{digest}'


def table(lines: list[dict]) -> str:
    """Scores of each arm, mean and spread over the seeds, and the difference to random ones within each seed, in Markdown."""
    rows = ['| labels | runs | ' + ' | '.join(SCORES) + ' |', '|---|---|' + '---|' * len(SCORES)]
    by_arm = {arm: {line['run']['seed']: line for line in lines if line['run']['arm'] == arm} for arm in ARMS}
    for arm, of_seed in by_arm.items():
        if of_seed:
            labeled = sorted({line['labeled'] for line in of_seed.values()})
            cells = [spread([line['test'][score] for line in of_seed.values()]) for score in SCORES]
            rows.append(f'| {arm}, {"/".join(map(str, labeled))} images | {len(of_seed)} | {" | ".join(cells)} |')
    for arm in ('ranked', 'score'):
        both = sorted(by_arm[arm].keys() & by_arm['random'].keys())
        if both:
            cells = [
                spread([by_arm[arm][seed]['test'][score] - by_arm['random'][seed]['test'][score] for seed in both])
                for score in SCORES
            ]
            rows.append(f'| {arm} less random | {len(both)} | {" | ".join(cells)} |')
    return '\n'.join(rows)


# -- the splits ----------------------------------------------------------------------------------------------------------


def starting_split(run: dict, args: argparse.Namespace) -> Path:
    """Write the split that all arms start from, the same for all seeds; returns its prefix.

    Raises:
        SystemExit: If the data was prepared with another validation set than the one these splits leave out.
    """
    from simeps_mmseg.datasets.splits import make_splits, read_split

    folder = args.data_root / f'neu_seg/splits/seed{run["split_seed"]}'
    train, val = (read_split(folder / f'{part}.txt') for part in ('train', 'val'))
    # Nested in the larger fractions: prefixes of the same random order.
    splits = make_splits([*train, *val], seed=run['split_seed'], fractions=(run['percent'],))
    if splits.val != sorted(val):
        sys.exit(f'{folder} was prepared with --stratify or --val-fraction; prepare a --data-root without them')
    prefix = args.work_dir.resolve() / f'splits/seed{run["split_seed"]}_{run["percent"]:g}pct'
    write_parts(prefix, splits.labeled[run['percent']], splits.unlabeled[run['percent']])
    return prefix


def write_parts(prefix: Path, labeled: list[str], unlabeled: list[str]) -> None:
    from simeps_mmseg.datasets.splits import write_split

    for part, names in (('labeled', labeled), ('unlabeled', unlabeled)):
        write_split(f'{prefix}_{part}.txt', names)


def split_of(run: dict, args: argparse.Namespace) -> Path:
    """The split that a run trains on, chosen if it was not yet; returns its prefix."""
    from simeps_mmseg.apis.rank_unlabeled import rank_unlabeled
    from simeps_mmseg.datasets.splits import read_split

    start = starting_split(run, args)
    if run['arm'] == 'start':
        return start
    prefix = args.work_dir.resolve() / name_of(run) / 'split'
    if Path(f'{prefix}_unlabeled.txt').exists():
        return prefix
    labeled, unlabeled = (read_split(f'{start}_{part}.txt') for part in ('labeled', 'unlabeled'))
    count = len(labeled)
    shuffled = [unlabeled[i] for i in np.random.default_rng(run['seed']).permutation(len(unlabeled))]
    pool = shuffled[: run['pool']]
    if run['arm'] == 'random':
        chosen = set(pool[:count])
    else:
        first = args.work_dir / name_of({**run, 'arm': 'start'})
        pool_split = prefix.with_name('pool')
        write_parts(pool_split, labeled, sorted(pool))
        ranking = rank_unlabeled(
            str(first / 'config.py'),
            str(first / f'iter_{run["iters"]}.pth'),
            str(args.data_root / 'neu_seg/images'),
            str(prefix.parent),
            similarity=run['similarity'],
            split_in=str(pool_split),
        )
        if run['arm'] == 'score':
            ranking.sort(key=lambda image: (bool(image.repeats), -image.uncertainty.score))
        chosen = {image.name for image in ranking[:count]}
    write_parts(prefix, sorted([*labeled, *chosen]), [name for name in unlabeled if name not in chosen])
    return prefix


# -- training ------------------------------------------------------------------------------------------------------------


def experiment(run: dict, args: argparse.Namespace, split: Path):
    """The config of a run: the shipped one at the size, schedule, batch and split of the protocol."""
    from benchmarks.one_run import use_batch, use_split
    from simeps_mmseg.utils.config_tree import walk_dicts
    from simeps_mmseg.utils.configs import load_config

    cfg = load_config(run['config'])
    for _, node in walk_dicts(cfg._cfg_dict):
        if node.get('type') == 'Resize':
            node['scale'] = (run['size'], run['size'])
        if 'data_root' in node:
            node['data_root'] = str(args.data_root.resolve() / Path(node['data_root']).name)
    use_split(cfg, str(split))
    use_batch(cfg, run['batch'])
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.num_workers = 1
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.batch_size = 1
    if run['test_images']:
        cfg.test_dataloader.dataset.indices = run['test_images']
    cfg.train_cfg.update(max_iters=run['iters'], val_begin=run['iters'] + 1)
    cfg.param_scheduler[0].end = run['iters']
    cfg.default_hooks.checkpoint.update(interval=min(250, run['iters']), save_best=None)
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='ChannelsLastHook')]
    cfg.randomness = dict(seed=run['seed'])
    cfg.work_dir = str(args.work_dir / name_of(run))
    cfg.resume = True
    return cfg


def train_and_score(run: dict, args: argparse.Namespace) -> None:
    """Choose the images of one run, train it to its end, score it on the test set, append its line."""
    from mmengine.runner import Runner

    import simeps_mmseg
    from simeps_mmseg.datasets.splits import checksum, read_split

    split = split_of(run, args)
    cfg = experiment(run, args, split)
    Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
    cfg.dump(Path(cfg.work_dir) / 'config.py')
    runner = Runner.from_cfg(cfg)
    runner.train()
    scores = runner.test()
    names = read_split(f'{split}_labeled.txt')
    line = dict(
        run=run,
        test={key: scores[key] for key in SCORES},
        classes={key: value for key, value in scores.items() if key.startswith('IoU.')},
        labeled=len(names),
        labeled_checksum=checksum(names),
        version=simeps_mmseg.__version__,
    )
    args.results.parent.mkdir(parents=True, exist_ok=True)
    with args.results.open('a') as file:
        file.write(json.dumps(line) + '\n')


if __name__ == '__main__':
    sys.exit(main())
