"""How much better several networks on labels are together than one: what branches could teach each other at the start.

    python benchmarks/compare.py --protocol warm --methods supervised --start 0 --iters 3000 --seeds 3 4 5 --work-dir RUNS ...
    python benchmarks/ensemble_room.py --fraction 1 --start 3000 --seeds 3 4 5 --work-dir RUNS
    python benchmarks/ensemble_room.py --update                  # the table of docs/research/warm_start.md

Networks that differ in their seed, with the weights best on validation, on images of three kinds: those that they learned
from, the unlabelled ones (evenly spaced, at most 250) and the test set. Foreground IoU of one of them, the mean over all; of
the mean of their probabilities, which is what pseudo-labels are made of; and of the mean of their logits, by which a model of
several branches predicts. The first two also as means over an image and its three flips.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.gains import NETWORKS, SETS
from benchmarks.measuring import device_name, found_device
from benchmarks.one_run import experiment, settle
from benchmarks.pages import ResultsTable, markdown_table
from benchmarks.place import Place
from benchmarks.protocols import PROTOCOLS, SUPERVISED, identity
from benchmarks.results import append
from benchmarks.state import best_weights
from simeps_mmseg.datasets.splits import read_split
from simeps_mmseg.inference.loading import load_model
from simeps_mmseg.utils import evenly_spaced, report_user_errors
from simeps_mmseg.utils.checkpoint import read_checkpoint

KINDS = dict(labeled='labelled', unlabeled='unlabelled', test='test')
MOST = 250  # unlabelled images
FLIPS = ((), (-1,), (-2,), (-2, -1))
ONE, TOGETHER = ('one', 'one_flips'), ('together', 'together_flips')


def measure(runs: Sequence[dict], place: Place, kind: str) -> dict:
    """Scores of the networks of some runs; one line.

    Args:
        runs: Of labels only, which differ in their seed, with their weights in the folders of ``place``.
        place: Where they were trained.
        kind: Key of :data:`KINDS`.

    Raises:
        UserError: If weights are not there.
    """
    cfg = experiment(runs[0])
    settle(cfg, runs[0], place)
    dataset = cfg.test_dataloader.dataset
    if kind != 'test':
        dataset.ann_file = f'splits/seed{runs[0]["split_seed"]}/{runs[0]["percent"]:g}pct_{kind}.txt'
    if kind == 'unlabeled':
        dataset.indices = evenly_spaced(len(read_split(Path(dataset.data_root, dataset.ann_file))), MOST)
    networks = [load_model(cfg, read_checkpoint(best_weights(place.folder(run)))) for run in runs]
    loader = Runner.build_dataloader(cfg.test_dataloader)
    scores = scores_of(networks, loader, cfg.test_evaluator)
    return dict(
        run={key: value for key, value in runs[0].items() if key != 'seed'},
        seeds=[run['seed'] for run in runs],
        images=kind,
        count=len(loader.dataset),
        **{name: [scores[name, k] for k in range(len(runs))] for name in ONE},
        **{name: scores[name,] for name in (*TOGETHER, 'together_logits')},
        device=device_name(found_device()),
    )


def scores_of(networks: Sequence[BaseModel], loader: DataLoader, metric: Mapping) -> dict[tuple, float]:
    """Foreground IoU over some images, in per cent, for each key of :func:`predictions`."""
    evaluators: dict[tuple, Evaluator] = defaultdict(partial(Evaluator, metric))
    with torch.no_grad():
        for batch in loader:
            for sample, predicted in zip(batch['data_samples'], predictions(networks, batch), strict=True):
                for key, labels in predicted.items():
                    found = SegDataSample(gt_sem_seg=sample.gt_sem_seg, pred_sem_seg=PixelData(data=labels))
                    evaluators[key].dataset_meta = loader.dataset.metainfo
                    evaluators[key].process([found])
    return {key: one.evaluate(len(loader.dataset))['mIoU_fg'] for key, one in evaluators.items()}


def predictions(networks: Sequence[BaseModel], batch: Mapping) -> list[dict[tuple, Tensor]]:
    """For each image of a batch label maps (1, h, w) of its original size: of each network, and of all."""
    seen = [[logits_of(network, batch, flip) for flip in FLIPS] for network in networks]
    found = []
    for i in range(len(batch['data_samples'])):
        logits = torch.stack([torch.stack([images[i] for images in flips]) for flips in seen])  # (K, flips, C, h, w)
        own = logits.softmax(dim=2)
        maps = {('one', k): one[0] for k, one in enumerate(own)}
        maps |= {('one_flips', k): one.mean(dim=0) for k, one in enumerate(own)}
        maps |= {('together',): own[:, 0].mean(dim=0), ('together_flips',): own.mean(dim=(0, 1))}
        maps['together_logits',] = logits[:, 0].mean(dim=0)
        found.append({key: scores.argmax(dim=0, keepdim=True) for key, scores in maps.items()})
    return found


def logits_of(network: BaseModel, batch: Mapping, flip: tuple[int, ...]) -> list[Tensor]:
    """Logits (C, h, w) of each image of a batch in its original size, from the image flipped along some axes."""
    data = network.data_preprocessor(dict(batch), False)
    samples = [sample.clone() for sample in data['data_samples']]
    found = network.predict(data['inputs'].flip(flip), samples)
    return [sample.seg_logits.data.flip(flip) for sample in found]


def markdown(lines: Sequence[dict]) -> str:
    """A row for each set and kind of images."""
    head = [
        'set',
        'steps on labels',
        'images',
        'one',
        'over flips',
        'together',
        'over flips',
        'more than one',
        'by mean logits',
    ]
    rows = []
    for line in lines:
        run, (one, flipped) = line['run'], (statistics.mean(line[name]) for name in ONE)
        row = [
            f'{SETS[run["dataset"]]}{NETWORKS[run["model"]]}, {run["percent"]:g} %',
            f'{run["iters"]:,}',
            f'{line["count"]:,} {KINDS[line["images"]]}',
            *(f'{score:.1f}' for score in (one, flipped, *(line[name] for name in TOGETHER))),
            f'{line["together"] - one:+.1f}',
            f'{line["together_logits"]:.1f}',
        ]
        rows.append(row)
    return markdown_table(head, rows) + '\n'


TABLE = ResultsTable('ensemble_room', 'research/warm_start.md', markdown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--dataset', default='neu')
    parser.add_argument('--model', default='unet')
    parser.add_argument('--fraction', type=float, default=1, help='percentage of labels')
    parser.add_argument('--start', type=int, default=PROTOCOLS['warm']['start'], help='steps on labels')
    parser.add_argument('--seeds', nargs='+', type=int, default=[3, 4, 5])
    parser.add_argument('--precision', default='float32', help='that they were trained in')
    parser.add_argument('--data-root', default='data')
    parser.add_argument('--work-dir', default='work_dirs/compare', help='where compare.py trained them')
    parser.add_argument('--images', nargs='+', choices=KINDS, default=list(KINDS))
    args = TABLE.parse(parser)
    chosen = dict(model=args.model, iters=args.start, start=0, precision=args.precision)
    which = dict(method=SUPERVISED, dataset=args.dataset, percent=args.fraction)
    runs = [identity({**PROTOCOLS['warm'], **chosen, **which, 'seed': seed}) for seed in args.seeds]

    def run() -> None:
        for kind in args.images:
            line = measure(runs, Place(args.data_root, args.work_dir), kind)
            append(args.results, line)
            print({name: line[name] for name in ('images', 'count', *ONE, *TOGETHER, 'together_logits')}, flush=True)

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
