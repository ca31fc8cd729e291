"""The recipe with a change, or from a network on labels for each branch, beside the recipe without: protocol ``warm``.

    python benchmarks/compare.py --protocol warm --methods simeps_plus --results benchmarks/results/warm_changes.jsonl ... \\
        [--cfg-options model.similarity=None] [--starts 3]
    python benchmarks/warm_changes.py --update               # the tables of docs/gains.md and docs/research/warm_start.md

Both sides of a pair are from one machine, as bfloat16 and float32 lead to other networks; so the recipe may have lines of
its own here. Scores are of the test set, foreground IoU in per cent, with the weights best on validation.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gains import METHOD, PAGE, RESEARCH, SETS, WARM, Place, goes_on_from, key_of
from benchmarks.pages import update
from benchmarks.protocols import PROTOCOLS, identity, starts_of
from benchmarks.results import ALL_AND_ONE, RESULTS, read, spread

LINES = RESULTS / 'warm_changes.jsonl'
KEY = 'mIoU_fg'
CHANGES = '<!-- benchmarks/warm_changes.py -->\n'
STARTS = '<!-- benchmarks/warm_changes.py: starts -->\n'
NONE = 'Not yet measured.\n'


def changes_table(*files: Iterable[dict]) -> str:
    """A recipe with a change of its config beside the one without, from the same network on labels.

    Args:
        *files: The lines of each file, which are paired within it.
    """
    found = defaultdict(list)
    for lines in files:
        by_run = {key_of(line['run']): line for line in lines}
        for line in by_run.values():
            run = line['run']
            options = run['options'] if run['method'] == METHOD else []
            fewer = [tuple(one for one in options if one != change) for change in options]
            for rest in dict.fromkeys([(), *fewer]):
                full = by_run.get(key_of({**run, 'options': list(rest)}))
                if options and full and full['precision'] == line['precision']:
                    change = tuple(one for one in options if one not in rest)
                    found[Place.of(run), change, rest].append((full, line))
    head = [
        'set',
        'steps: on labels, then',
        'change',
        'of a recipe with',
        'seeds',
        'all branches: without it',
        'with it',
        'difference',
        'one branch: without it',
        'with it',
    ]
    rows = [f'| {" | ".join([*head, "difference"])} |', f'|{"---|" * (len(head) + 1)}']
    for (place, change, rest), both in found.items():
        cells = [
            named(place),
            f'{place.start:,}; {place.iters:,}',
            *map(named_options, (change, rest)),
            str(len(both)),
        ]
        for score in ALL_AND_ONE:
            full, changed = ([score(line['best']['test'], KEY) for line in ones] for ones in zip(*both))
            cells += [spread(full), spread(changed), spread([b - a for a, b in zip(full, changed)])]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n' if found else NONE


def starts_table(lines: Iterable[dict]) -> str:
    """What the branches reach from a network on labels for each, and from the same networks, each for all of them.

    A run from three networks counts where the three runs from one of them are there, in the same precision. Beside it stand
    their mean, and the run from that network which was best on validation: whoever has trained three could have chosen it.
    """
    by_run = {key_of(line['run']): line for line in lines}
    found = defaultdict(list)
    for line in by_run.values():
        run, starts = line['run'], starts_of(line['run'])
        single = [by_run.get(key_of(identity({**run, 'seed': start['seed'], 'starts': 1}))) for start in starts]
        plateau = [by_run.get(key_of(start)) for start in starts]
        is_ours = len(starts) > 1 and run['method'] == METHOD and not run['options']
        if (
            is_ours
            and all(map(goes_on_from, single, plateau))
            and {one['precision'] for one in single} == {line['precision']}
        ):
            best = max(range(len(starts)), key=lambda k: max(plateau[k]['validations'].values()))
            found[Place.of(run)].append((single, best, line))
    places = [f'from {start}' for start in ('one, mean', 'the best one', 'three')]
    head = [
        'set',
        'steps: on labels, then',
        'runs',
        *(f'{who}, {one}' for who in ('all', 'one branch') for one in places),
    ]
    rows = [f'| {" | ".join(head)} |', f'|{"---|" * len(head)}']
    for place, runs in found.items():
        cells = [named(place), f'{place.start:,}; {place.iters:,}', str(len(runs))]
        for score in ALL_AND_ONE:
            reached = [
                ([score(one['best']['test'], KEY) for one in (*single, line)], best) for single, best, line in runs
            ]
            cells += [
                spread([statistics.mean(ones) for (*ones, _), _ in reached]),
                spread([ones[best] for ones, best in reached]),
                spread([three for (*_, three), _ in reached]),
            ]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n' if found else NONE


def looks_table(lines: Iterable[dict]) -> str:
    """Validation over the trainings of the protocol's length: the recipe as it is, and with a change."""
    found = defaultdict(list)
    for line in lines:
        run = line['run']
        if run['method'] == METHOD and run['iters'] == PROTOCOLS['warm']['iters'] and len(starts_of(run)) == 1:
            found[Place.of(run), tuple(run['options'])].append(line['validations'])
    steps = list(dict.fromkeys(step for seeds in found.values() for looks in seeds for step in looks))
    rows = [f'| {" | ".join(["set", "steps on labels", "recipe", "seeds", *(f"step {step}" for step in steps)])} |']
    rows.append(f'|{"---|" * (len(steps) + 4)}')
    for (place, options), seeds in sorted(found.items(), key=lambda one: (list(SETS).index(one[0][0].dataset), one[0])):
        means = [f'{statistics.mean(looks[step] for looks in seeds):.1f}' for step in steps]
        cells = [named(place), f'{place.start:,}', named_options(options) or 'as it is', str(len(seeds)), *means]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n' if found else NONE


def named(place: Place) -> str:
    """The set and its share of labels."""
    return f'{place.title}, {place.percent:g} %'


def named_options(options: Sequence[str]) -> str:
    """Options as code; nothing for none."""
    return f'`{" ".join(options)}`' if options else ''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--update', action='store_true', help='write the tables into the pages')
    recipe, beside = read([WARM]), read([LINES])
    tables = [
        (PAGE, CHANGES, changes_table(recipe, beside)),
        (PAGE, STARTS, starts_table([*recipe, *beside])),
        (RESEARCH, CHANGES, looks_table(recipe)),
    ]
    if parser.parse_args().update:
        for page, begin, table in tables:
            update(page, table, begin)
    else:
        print(*(table for *_, table in tables), sep='\n')


if __name__ == '__main__':
    main()
