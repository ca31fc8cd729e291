"""What each part of the recommended recipe brings: the demo without it, or with another, from the same networks on labels.

    python benchmarks/recipe_parts.py --seeds 0 1 2       # a JSON line per change and seed; finished ones are passed over
    python benchmarks/recipe_parts.py --update            # the table of docs/gains.md

The networks on labels are those that demo_seeds.py left in the folder; where they are not there, they are trained. The recipe
as it is has its lines in results/demo.jsonl. A change is compared with the recipe where both started from the same network: a
seed alone does not say so, as two trainings of one seed differ by their rounding. Scores are of the test set, with the
weights best on validation.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.demo_seeds import DEMO, of_now
from benchmarks.gains import PAGE
from benchmarks.pages import update
from benchmarks.protocol_table import spread
from benchmarks.results import RESULTS, append, kept, lines_of, mean_branch
from simeps_mmseg.apis.demo import CONFIGS, LABELS_ONLY, PERCENT, SEMI, data_options, train_best
from simeps_mmseg.apis.prepare_data import prepare_data
from simeps_mmseg.apis.test import test
from simeps_mmseg.models.losses.similarity_consistency import STAGES
from simeps_mmseg.utils import report_user_errors

RECIPE_PARTS = RESULTS / 'recipe_parts.jsonl'
BEGIN = '<!-- benchmarks/recipe_parts.py -->\n'
KEY = 'mIoU_fg'
NO_VIEWS = ['model.view=None', 'model.cut_mix=None']
NO_TEACHER = ['model.teacher=None']


def similarity_at(*stages: str) -> list[str]:
    """Options that have the branches compare images at some of the stages of a network."""
    return [f'model.similarity.stages.{stage}={float(stage in stages)}' for stage in STAGES]


def number_of_branches(number: int) -> list[str]:
    """Options for another number of branches."""
    return ['model.type=MultiBranchSemiSegmentor', f'model.num_branches={number}']


CHANGES: dict[str, list[str]] = {
    'without the similarity loss': ['model.similarity=None'],
    'without strong views and CutMix': NO_VIEWS,
    'without averaged teachers: the branches teach each other': NO_TEACHER,
    'without consistency on the labelled images': ['model.consistency_on_labeled=False'],
    'without pseudo-labels': ['model.cross_pseudo.loss_weight=0.0'],
    'simEps: without views, CutMix and teachers, weight and ramp of the paper': [
        *NO_VIEWS,
        *NO_TEACHER,
        'model.cross_pseudo.ensemble=max',
        'model.cross_pseudo.loss_weight=0.1',
        'custom_hooks.0.rampup_share=0.625',
    ],
    'similarity of the encoders, in place of the logits': similarity_at('encoder'),
    'similarity of the decoders': similarity_at('decoder'),
    'similarity of encoders, decoders and logits': similarity_at('encoder', 'decoder', 'logits'),
    'pseudo-labels from the surest of the other branches': ['model.cross_pseudo.ensemble=max'],
    'two branches': number_of_branches(2),
    'four branches': number_of_branches(4),
}


def run_change(change: str, seed: int, folder: Path) -> dict:
    """Train simEps-plus of the demo with a change, from the network on labels of a seed; one line."""
    data = prepare_data('synthetic', data_root=folder / 'data', fractions=[PERCENT])
    start = network_on_labels(seed, folder, data)
    labels = CONFIGS[LABELS_ONLY]
    of_start = test(labels, str(start), work_dir=str(start.parent), options=data_options(labels, data))
    circumstances, began = of_now(), time.monotonic()
    options = CHANGES[change]
    changed = train_best(
        SEMI,
        folder / f'seed{seed}/changes/{list(CHANGES).index(change)}',
        data,
        seed=seed,
        start=start,
        options=options,
    )
    return dict(
        seed=seed,
        options=options,
        labels_only=kept(of_start),
        semi=kept(changed.scores),
        best=changed.checkpoint.name,
        seconds=round(time.monotonic() - began, 1),
        **circumstances,
    )


def network_on_labels(seed: int, folder: Path, data: Path) -> Path:
    """What demo_seeds.py started from in this folder, or one that is trained now."""
    found = sorted((folder / f'seed{seed}/supervised').glob('best_*.pth'))
    return found[0] if found else train_best(LABELS_ONLY, folder / f'seed{seed}', data, seed=seed).checkpoint


def pairs(recipe: Sequence[dict], changed: Sequence[dict], options: list[str]) -> list[tuple[dict, dict]]:
    """The line of the recipe and that of a change, for each seed in which both started from the same network."""
    by_start = {(line['seed'], line['labels_only'][KEY]): line for line in recipe}
    found = (
        (by_start.get((line['seed'], line['labels_only'][KEY])), line) for line in changed if line['options'] == options
    )
    return [(full, line) for full, line in found if full]


def markdown(recipe: Sequence[dict], changed: Sequence[dict]) -> str:
    """One row per change that was measured, below the recipe as it is."""
    rows = ['| simEps-plus | seeds | all branches | one branch | difference, all branches |', '|---|---|---|---|---|']
    for name, options in {'as it is': None, **CHANGES}.items():
        both = [(line, line) for line in recipe] if options is None else pairs(recipe, changed, options)
        if not both:
            continue
        scores = [line['semi'] for _, line in both]
        cells = [
            name,
            str(len(both)),
            spread([one[KEY] for one in scores]),
            spread([mean_branch(one, KEY) for one in scores]),
            '' if options is None else spread([line['semi'][KEY] - full['semi'][KEY] for full, line in both]),
        ]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[], help='train these; none: the table of the lines there are'
    )
    parser.add_argument(
        '--changes', nargs='+', type=int, default=range(len(CHANGES)), help='by their place in the table'
    )
    parser.add_argument('--results', type=Path, default=RECIPE_PARTS)
    parser.add_argument('--update', action='store_true', help='write the table into docs/gains.md')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/demo_seeds'))
    args = parser.parse_args()

    def run() -> None:
        for seed in args.seeds:
            for change in (list(CHANGES)[index] for index in args.changes):
                done = [(line['seed'], line['options']) for line in lines_of(args.results)]
                if (seed, CHANGES[change]) not in done:
                    append(args.results, run_change(change, seed, args.folder))
        table = markdown(lines_of(DEMO), lines_of(args.results))
        if args.update:
            update(PAGE, table, BEGIN)
        print(table)

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
