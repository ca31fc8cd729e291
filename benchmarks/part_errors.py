"""What unlabelled images change for whole parts: which defective ones are missed, and which good ones are rejected.

    python benchmarks/compare.py --protocol warm ... --work-dir RUNS                       # lines and weights
    python benchmarks/part_errors.py --datasets synthetic metal_plates --work-dir RUNS     # a line for each seed of the table
    python benchmarks/part_errors.py --update                                              # the table of docs/gains.md

Of the runs behind the table of gains, with the weights best on validation, for several smallest regions that reject a part:
labels only, where it goes on, and each branch of simEps-plus. A part is an image, at the size of its file.
"""

import argparse
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gains import METHOD, WARM, Place, comparisons
from benchmarks.measuring import device_name, found_device
from benchmarks.one_run import experiment, settle
from benchmarks.pages import ResultsTable, markdown_table
from benchmarks.place import Place as RunPlace
from benchmarks.results import append, lines_of, read, spread
from benchmarks.state import best_weights
from simeps_mmseg.evaluation import PartErrors
from simeps_mmseg.inference.evaluation_images import EvaluationImages
from simeps_mmseg.inference.trained_model import TrainedModel
from simeps_mmseg.report.model_sections import score_images
from simeps_mmseg.report.scored_images import part_errors_of
from simeps_mmseg.utils import UserError, report_user_errors

AREAS = (1, 10, 100)  # pixels of the smallest region that rejects a part
WHO = dict(plateau='labels only', longer='going on', semi='one branch')
SPLITS = dict(test='test', val='validation')


def measure(run: dict, place: RunPlace, split: str) -> list[list[PartErrors]]:
    """The errors of each network of a run by itself, for each of :data:`AREAS`.

    Args:
        run: With its weights in its folder.
        place: Where it was trained.
        split: Key of :data:`SPLITS`.

    Raises:
        UserError: If weights are not there, or an image cannot be read.
    """
    weights = best_weights(place.folder(run))
    cfg = experiment(run)
    settle(cfg, run, place)
    scored, failed = score_images(EvaluationImages(cfg, split), TrainedModel(cfg, weights, split=split), 0)
    if failed:
        raise UserError(failed[0])
    networks = len(scored[0].matrices)  # the prediction, then each branch
    return [part_errors_of(scored, k, AREAS) for k in (range(1, networks) if networks > 1 else [0])]


def markdown(lines: Sequence[dict]) -> str:
    """A row for each row of the table of gains, split and smallest region; shares in per cent."""
    rows = defaultdict(list)
    for line in lines:
        for k, area in enumerate(line['areas']):
            rows[Place.of(line['run']), line['split'], area].append({who: [one[k] for one in line[who]] for who in WHO})
    head = ['set', 'images: defective, good', 'a region of', 'seeds']
    head += [f'{error}: {who}' for error in ('missed', 'rejected') for who in WHO.values()]
    table = []
    for (place, split, area), seeds in rows.items():
        errors = PartErrors(*seeds[0]['plateau'][0])
        cells = [
            f'{place.title}, {place.percent:g} %',
            f'{SPLITS[split]}: {errors.defective}, {errors.good}',
            f'{area} px',
            str(len(seeds)),
        ]
        for share in ('missed_percent', 'rejected_percent'):
            for who in WHO:
                own = [statistics.mean(getattr(PartErrors(*one), share) for one in seed[who]) for seed in seeds]
                cells.append('-' if math.isnan(own[0]) else spread(own))
        table.append(cells)
    return markdown_table(head, table) + '\n'


TABLE = ResultsTable('part_errors', 'gains.md', markdown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--datasets', nargs='+', default=['synthetic'])
    parser.add_argument('--split', choices=SPLITS, default='test')
    parser.add_argument('--data-root', default='data')
    parser.add_argument('--work-dir', default='work_dirs/compare', help='where compare.py trained them')
    args = TABLE.parse(parser)
    place = RunPlace(args.data_root, args.work_dir)
    done = [(line['run'], line['split']) for line in lines_of(args.results)]

    def run() -> None:
        found = comparisons(read([WARM]), METHOD)
        for one in (one for row, seeds in found.items() if row.dataset in args.datasets for one in seeds):
            if (one.semi['run'], args.split) not in done:
                errors = {who: measure(getattr(one, who)['run'], place, args.split) for who in WHO}
                line = dict(
                    run=one.semi['run'], split=args.split, areas=AREAS, **errors, device=device_name(found_device())
                )
                append(args.results, line)
                print(f'{row_name(one.semi["run"])}: {errors}', flush=True)

    return report_user_errors(run)


def row_name(run: dict) -> str:
    """Set, labels and seed, for the eye."""
    return f'{run["dataset"]} {run["percent"]:g} %, seed {run["seed"]}'


if __name__ == '__main__':
    sys.exit(main())
