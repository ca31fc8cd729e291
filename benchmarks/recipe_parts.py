"""What each part of the recommended recipe brings: the demo without it, or with another, from the same networks on labels.

    python benchmarks/recipe_parts.py --seeds 0 1 2       # a line per change and seed, but for those there are
    python benchmarks/recipe_parts.py --update            # the tables of docs/gains.md and docs/research/warm_start.md

The networks on labels are those that demo_seeds.py left in the folder; where they are not there, they are trained. The recipe
as it is has its lines in results/demo.jsonl. A change is compared with the recipe where both started from the same network: a
seed alone does not say so, as two trainings of one seed differ by their rounding. A run that starts from several networks is
compared with the mean of what they lead to one by one. Scores are of the test set, with the weights best on validation.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.demo_seeds import DEMO, of_now
from benchmarks.gains import NO_RENORM, PAGE, RESEARCH
from benchmarks.one_run import in_one_file
from benchmarks.pages import update
from benchmarks.results import ALL_AND_ONE, RESULTS, append, kept, lines_of, spread
from simeps_mmseg.apis.demo import CONFIGS, LABELS_ONLY, PERCENT, SEMI, data_options, train_best
from simeps_mmseg.apis.prepare_data import prepare_data
from simeps_mmseg.apis.test import test
from simeps_mmseg.models.losses.similarity_consistency import STAGES
from simeps_mmseg.utils import report_user_errors

RECIPE_PARTS = RESULTS / 'recipe_parts.jsonl'
BEGIN = '<!-- benchmarks/recipe_parts.py -->\n'
WITHOUT_RENORM = '<!-- benchmarks/recipe_parts.py: without batch renormalization -->\n'
KEY = 'mIoU_fg'
NO_VIEWS = ['model.view=None', 'model.cut_mix=None']
NO_TEACHER = ['model.teacher=None']
SIMEPS = 'simEps: without views, CutMix, teachers and batch renormalization, weight and ramp of the paper'


def similarity_at(*stages: str) -> list[str]:
    """Options that have the branches compare images at some of the stages of a network."""
    return [f'model.similarity.stages.{stage}={float(stage in stages)}' for stage in STAGES]


def number_of_branches(number: int) -> list[str]:
    """Options for another number of branches."""
    return ['model.type=MultiBranchSemiSegmentor', f'model.num_branches={number}']


class Change(NamedTuple):
    """How a training differs from the recipe.

    Attributes:
        options: Changes of its config.
        starts: From how many networks on labels the branches start: one, or one for each, of this seed and the next ones.
    """

    options: list[str]
    starts: int = 1


CHANGES = {
    'without the similarity loss': Change(['model.similarity=None']),
    'without strong views and CutMix': Change(NO_VIEWS),
    'without averaged teachers: the branches teach each other': Change(NO_TEACHER),
    'without batch renormalization': Change(list(NO_RENORM)),
    'without consistency on the labelled images': Change(['model.consistency_on_labeled=False']),
    'without pseudo-labels': Change(['model.cross_pseudo.loss_weight=0.0']),
    SIMEPS: Change(
        [
            *NO_VIEWS,
            *NO_TEACHER,
            'model.cross_pseudo.ensemble=max',
            'model.cross_pseudo.loss_weight=0.1',
            'custom_hooks.0.rampup_share=0.625',
            *NO_RENORM,
        ]
    ),
    'similarity of the encoders, in place of the logits': Change(similarity_at('encoder')),
    'similarity of the decoders': Change(similarity_at('decoder')),
    'similarity of encoders, decoders and logits': Change(similarity_at('encoder', 'decoder', 'logits')),
    'pseudo-labels from the surest of the other branches': Change(['model.cross_pseudo.ensemble=max']),
    'two branches': Change(number_of_branches(2)),
    'four branches': Change(number_of_branches(4)),
    'from three networks on labels': Change([], starts=3),
}


def run_change(name: str, seed: int, folder: Path) -> dict:
    """Train simEps-plus of the demo with a change, from the network on labels of a seed, or of several; one line."""
    data = prepare_data('synthetic', data_root=folder / 'data', fractions=[PERCENT])
    change, labels = CHANGES[name], CONFIGS[LABELS_ONLY]
    starts = [network_on_labels(seed + k, folder, data) for k in range(change.starts)]
    before = [
        test(labels, str(start), work_dir=str(start.parent), options=data_options(labels, data)) for start in starts
    ]
    circumstances, began = of_now(), time.monotonic()
    place = folder / f'seed{seed}/changes/{list(CHANGES).index(name)}'
    start = in_one_file(starts, place / 'start.pth')
    changed = train_best(SEMI, place, data, seed=seed, start=start, options=change.options)
    return dict(
        seed=seed,
        options=change.options,
        labels_only=[kept(scores) for scores in before],
        semi=kept(changed.scores),
        best=changed.checkpoint.name,
        seconds=round(time.monotonic() - began, 1),
        **circumstances,
    )


def network_on_labels(seed: int, folder: Path, data: Path) -> Path:
    """What demo_seeds.py started from in this folder, or one that is trained now."""
    found = sorted((folder / f'seed{seed}/supervised').glob('best_*.pth'))
    return found[0] if found else train_best(LABELS_ONLY, folder / f'seed{seed}', data, seed=seed).checkpoint


def change_of(line: dict) -> Change:
    """What was changed in the run of a line."""
    return Change(line['options'], len(line['labels_only']))


def pairs(recipe: Sequence[dict], changed: Sequence[dict], change: Change) -> list[tuple[list[dict], dict]]:
    """The lines of the recipe and that of a change, where both started from the same network, or from each of the same."""
    by_start = {(line['seed'], line['labels_only'][KEY]): line for line in recipe}
    found = []
    for line in (one for one in changed if change_of(one) == change):
        full = [by_start.get((line['seed'] + k, scores[KEY])) for k, scores in enumerate(line['labels_only'])]
        if all(full):
            found.append((full, line))
    return found


def done(recipe: Sequence[dict], changed: Sequence[dict], change: Change) -> set[int]:
    """The seeds of a change that stand beside the recipe."""
    return {line['seed'] for _, line in pairs(recipe, changed, change)}


def without_renorm(lines: Iterable[dict]) -> tuple[list[dict], list[dict]]:
    """The lines without batch renormalization: those without another change, as lines of a recipe, and those with one."""
    without = [line for line in lines if ends_in(line['options'], NO_RENORM)]
    off = [  # simEps is without it in either table
        line if change_of(line) == CHANGES[SIMEPS] else line | dict(options=line['options'][: -len(NO_RENORM)])
        for line in without
    ]
    recipe = [line | dict(labels_only=line['labels_only'][0]) for line in off if change_of(line) == Change([])]
    return recipe, [line for line in off if change_of(line) != Change([])]


def ends_in(options: Sequence[str], last: Sequence[str]) -> bool:
    """Whether these options are the last of the others."""
    return tuple(options[-len(last) :]) == tuple(last)


def markdown(recipe: Sequence[dict], changed: Sequence[dict], title: str = 'as it is') -> str:
    """One row per change that was measured, below the recipe, and beside it within the same seeds."""
    columns = (f': {title}', ', changed', ', difference')
    head = ['simEps-plus', 'seeds', *(f'{who}{what}' for who in ('all branches', 'one branch') for what in columns)]
    rows = [f'| {" | ".join(head)} |', f'|{"---|" * len(head)}']
    for name, change in {title: None, **CHANGES}.items():
        both = [([line], line) for line in recipe] if change is None else pairs(recipe, changed, change)
        if not both:
            continue
        cells = [name, str(len(both))]
        for score in ALL_AND_ONE:
            full = [statistics.mean(score(one['semi'], KEY) for one in lines) for lines, _ in both]
            own = [score(line['semi'], KEY) for _, line in both]
            differences = [b - a for a, b in zip(full, own)]
            cells += [spread(full), *((spread(own), spread(differences)) if change else ('', ''))]
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
    parser.add_argument('--update', action='store_true', help='write the tables into the two pages')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/demo_seeds'))
    args = parser.parse_args()

    def run() -> None:
        for seed in args.seeds:
            for change in (list(CHANGES)[index] for index in args.changes):
                if seed not in done(lines_of(DEMO), lines_of(args.results), CHANGES[change]):
                    append(args.results, run_change(change, seed, args.folder))
        lines = lines_of(args.results)
        tables = {
            BEGIN: (PAGE, markdown(lines_of(DEMO), lines)),
            WITHOUT_RENORM: (RESEARCH, markdown(*without_renorm(lines), 'the recipe before')),
        }
        for begin, (page, table) in tables.items():
            if args.update:
                update(page, table, begin)
            print(table)

    return report_user_errors(run)


if __name__ == '__main__':
    sys.exit(main())
