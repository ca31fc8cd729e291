"""What each part of the recommended recipe brings: the recipe without it, from the same start.

    python benchmarks/compare.py --protocol warm --methods simeps_plus --datasets synthetic --fractions 2 --seeds 0 1 2 \\
        --cfg-options model.similarity=None                                     # and so on, for each of PARTS
    python benchmarks/recipe_parts.py --update                                  # the table of docs/gains.md

Scores are of the test set, with the weights best on validation. The difference is to the recipe as it is, seed by seed.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gains import METHOD, PAGE, WARM, key_of
from benchmarks.pages import update
from benchmarks.protocol_table import spread
from benchmarks.protocols import PROTOCOLS
from benchmarks.results import mean_branch, read

BEGIN = '<!-- benchmarks/recipe_parts.py -->\n'
WANTED = dict(PROTOCOLS['warm'], method=METHOD, dataset='synthetic', percent=2)  # of a run
KEY = 'mIoU_fg'
PARTS: dict[str, list[str]] = {
    'the similarity loss': ['model.similarity=None'],
    'strong views and CutMix': ['model.view=None', 'model.cut_mix=None'],
    'averaged teachers: the branches teach each other': ['model.teacher=None'],
    'consistency on the labelled images': ['model.consistency_on_labeled=False'],
    'pseudo-labels': ['model.cross_pseudo.loss_weight=0.0'],
}


def pairs(lines: Iterable[dict], options: list[str]) -> list[tuple[dict, dict]]:
    """Of each seed that has both under the protocol: the line of the recipe, and that of the recipe with these options."""
    by_run = {key_of(line['run']): line for line in lines}
    runs = [
        line['run']
        for line in by_run.values()
        if WANTED.items() <= {**line['run'], 'options': None}.items() and line['run']['options'] == options
    ]
    found = ((key_of({**run, 'options': []}), key_of(run)) for run in sorted(runs, key=lambda one: one['seed']))
    return [(by_run[full], by_run[changed]) for full, changed in found if full in by_run]


def markdown(lines: Iterable[dict]) -> str:
    """One row per part that was left out, below the recipe as it is."""
    lines = list(lines)
    rows = [
        '| simEps-plus | seeds | all branches | one branch | difference, all branches |',
        '|---|---|---|---|---|',
    ]
    for name, options in {'as it is': [], **{f'without {part}': options for part, options in PARTS.items()}}.items():
        seeds = pairs(lines, options)
        if not seeds:
            rows.append(f'| {name} | not yet measured | | | |')
            continue
        full, changed = ([line['best']['test'] for line in column] for column in zip(*seeds))
        differences = [one[KEY] - other[KEY] for one, other in zip(changed, full)]
        cells = [
            name,
            str(len(seeds)),
            spread([scores[KEY] for scores in changed]),
            spread([mean_branch(scores, KEY) for scores in changed]),
            spread(differences) if options else '',
        ]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, nargs='+', default=[WARM])
    parser.add_argument('--update', action='store_true', help='write the table into docs/gains.md')
    args = parser.parse_args()
    table = markdown(read(args.results))
    if args.update:
        update(PAGE, table, BEGIN)
    else:
        print(table)


if __name__ == '__main__':
    main()
