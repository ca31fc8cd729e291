"""The table of what unlabelled images bring to a network that was trained on labels to its plateau, set by set.

    python benchmarks/compare.py --protocol warm --methods simeps_plus supervised ...    # trains the starts, too
    python benchmarks/gains.py --update               # into docs/gains.md, README.md and the research notes

A gain is that of one branch, which is what is deployed, over the better of two: labels only until validation stops rising,
which is what the method starts from, and labels only going on from there for as many steps as the method. All are scored on
the test set with the weights that are best on validation, in foreground IoU and per image.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.gains_figure import write_figure
from benchmarks.pages import update
from benchmarks.protocols import SUPERVISED, name_of, starts_of
from benchmarks.results import NAMES, RESULTS, mean_branch, read, spread
from simeps_mmseg.deploy.checkpoint import late_rise
from simeps_mmseg.engine.checks import STILL_RISING
from simeps_mmseg.utils import counted

WARM = RESULTS / 'warm.jsonl'
ROOT = Path(__file__).resolve().parents[1]
PAGE, README, FIGURE = ROOT / 'docs/gains.md', ROOT / 'README.md', ROOT / 'docs/images/gains.png'
RESEARCH = ROOT / 'docs/research/warm_start.md'
BEGIN = '<!-- benchmarks/gains.py -->\n'
GUIDE = '<!-- benchmarks/gains.py: guide -->\n'
RIVALS = '<!-- benchmarks/gains.py: methods -->\n'
SAID = '<!-- benchmarks/gains.py: verdict -->\n'
WITHOUT_RENORM = '<!-- benchmarks/gains.py: without batch renormalization -->\n'
NO_RENORM, RENORM = ('model.batch_renorm=False',), ('model.batch_renorm=True',)
FEW, MORE = 50, 200  # labelled images, the ends of the rows of the guide
METHOD = 'simeps_plus'
BLOCK = 3  # seeds that were started from together
# In the README, beside the case in the middle and the least: the set of the paper, and what was held out.
SHOWN = (('neu', 1, 'unet'), ('neu', 5, 'unet'), ('ceramic_cracks', 20, 'unet'), ('metal_plates', 10, 'unet'))
SCORES = {'mIoU_fg': 'foreground IoU', 'mIoU_image': 'per image'}
SETS = dict(
    neu='NEU-Seg, steel',
    magnetic_tile='Magnetic Tile',
    synthetic='generated surfaces',
    crackforest='CrackForest, asphalt',
    masonry='masonry, brick walls',
    leather='leather',
    uav_cracks='concrete from a drone',
    welds='weld seams',
    ceramic_cracks='cracks in ceramics',
    metal_plates='metal plates',
)
NETWORKS = dict(unet='', efficientnet_lite0=', EfficientNet-Lite0 from ImageNet')
# Sets that nothing was tuned on: the steps of the method when their test sets were looked at for the first time.
HELD_OUT = dict(uav_cracks=600, welds=600, ceramic_cracks=1200, metal_plates=1200)


class Place(NamedTuple):
    """What the seeds of a row have in common.

    Attributes:
        dataset: Key of :data:`SETS`.
        percent: Of the training images that have labels.
        start: Steps on labels alone before.
        iters: Steps of the method, and of labels only going on.
        model: First part of the config name.
    """

    dataset: str
    percent: float
    start: int
    iters: int
    model: str

    @classmethod
    def of(cls, run: dict) -> 'Place':
        """That of a run."""
        return cls(*(run[field] for field in cls._fields))

    @property
    def title(self) -> str:
        """The set, whether it was held out, and the network where it is not the U-Net."""
        first = HELD_OUT.get(self.dataset)
        look = '' if first is None else ' (held out)' if self.iters == first else ' (second look)'
        return SETS[self.dataset] + look + NETWORKS[self.model]

    @property
    def case(self) -> tuple[str, float, str]:
        """Data set, percentage and network."""
        return self.dataset, self.percent, self.model


class Comparison(NamedTuple):
    """One seed of one set: lines of compare.py.

    Attributes:
        plateau: Labels only, which the method starts from.
        longer: Labels only, going on from there for as many steps as the method.
        semi: The method.
    """

    plateau: dict
    longer: dict
    semi: dict

    def late_rise(self) -> float:
        """How fast validation still rose where the plateau should be."""
        return late_rise([(int(step), score) for step, score in self.plateau['validations'].items()])

    def score(self, key: str) -> float:
        """Score of the method, all branches."""
        return self.semi['best']['test'][key]

    def alone(self, key: str) -> float:
        """Score of one network alone: the mean over the branches, or that of the only one."""
        found = mean_branch(self.semi['best']['test'], key)
        return self.score(key) if found is None else found

    def labels_only(self, key: str) -> tuple[float, float]:
        """Scores of labels only, at the plateau and after as many steps more."""
        return self.plateau['best']['test'][key], self.longer['best']['test'][key]

    def gain(self, key: str) -> float:
        """Points that one network of the method has over the better of the two."""
        return self.alone(key) - max(self.labels_only(key))


def comparisons(lines: Iterable[dict], method: str, options: Sequence[str] = ()) -> dict[Place, list[Comparison]]:
    """The seeds for which all three runs are there.

    Args:
        lines: Of compare.py.
        method: Folder below configs/.
        options: What its config was changed by; nothing for the recipe as it is.
    """
    by_run = {key_of(line['run']): line for line in lines}
    found = defaultdict(list)
    for plateau, line in with_starts(by_run, method, options):
        run = line['run']
        longer = {**run, 'method': SUPERVISED, 'options': []}
        if key_of(longer) in by_run:
            found[Place.of(run)].append(Comparison(plateau, by_run[key_of(longer)], line))
    return {place: found[place] for place in sorted(found, key=lambda one: (list(SETS).index(one.dataset), *one[1:]))}


def with_starts(by_run: Mapping[tuple, dict], method: str, options: Sequence[str] = ()) -> Iterator[tuple[dict, dict]]:
    """The runs of a method, with a change of its config or none, whose start is there: the line of the start, and of the run.

    Raises:
        ValueError: If a run began at another network than the line of its start is of, as after a start that was trained anew.
    """
    for line in by_run.values():
        run = line['run']
        if run['method'] == method and run['start'] and run['options'] == list(options) and len(starts_of(run)) == 1:
            start = by_run.get(key_of(starts_of(run)[0]))
            if start and not goes_on_from(line, start):
                raise ValueError(
                    f'{name_of(run)} began at {line["validations"]["0"]}, and its start is another network'
                )
            if start:
                yield start, line


def goes_on_from(line: dict | None, start: dict | None) -> bool:
    """Whether both runs are there, and one began at the best of the other. (Labels only going on does not look there.)"""
    return bool(line and start) and line['validations'].get('0') in (None, max(start['validations'].values()))


def row_of_each_case(found: Mapping[Place, list[Comparison]]) -> dict[Place, list[Comparison]]:
    """For each case the row with most seeds; of those the one with most steps: of the method first, then on labels."""
    steps = {place: (len(seeds), place.iters, place.start) for place, seeds in found.items()}
    return {
        place: seeds
        for place, seeds in found.items()
        if all(place.case != other.case or steps[place] >= steps[other] for other in found)
    }


def cases(lines: Iterable[dict], method: str) -> dict[Place, list[Comparison]]:
    """The cases that medians and claims are made of: one row for each, from a network that had learned."""
    return settled(row_of_each_case(comparisons(lines, method)))


def settled(found: Mapping[Place, list[Comparison]]) -> dict[Place, list[Comparison]]:
    """The rows whose networks on labels no longer rose."""
    return {place: seeds for place, seeds in found.items() if not still_rising(seeds)}


def key_of(run: dict) -> tuple:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(run.items()))


def markdown(lines: Iterable[dict], method: str = METHOD, key: str = 'mIoU_fg', options: Sequence[str] = ()) -> str:
    """One row per place: mean and spread over the seeds, the gain run by run."""
    head = [
        'set',
        'labelled images',
        'steps: on labels, then',
        'seeds',
        'labels only',
        'going on',
        'with unlabelled images',
        'one branch',
        'gain',
    ]
    rows = [f'| {" | ".join(head)} |', f'|{"---|" * len(head)}']
    for place, seeds in comparisons(lines, method, options).items():
        cells = [
            place.title,
            f'{seeds[0].semi["labeled"]} ({place.percent:g} %)',
            f'{place.start:,}{still_rising(seeds)}; {place.iters:,}',
            str(len(seeds)),
            spread([one.labels_only(key)[0] for one in seeds]),
            spread([one.labels_only(key)[1] for one in seeds]),
            spread([one.score(key) for one in seeds]),
            spread([one.alone(key) for one in seeds]),
            spread([one.gain(key) for one in seeds]),
        ]
        rows.append(f'| {" | ".join(cells)} |')
    if len(rows) == 2:
        rows.append(f'| not yet measured |{" |" * (len(head) - 1)}')
    return '\n'.join(rows) + '\n'


def still_rising(seeds: Iterable[Comparison]) -> str:
    """What to say of steps on labels that were too few, by the rule by which ``make_semi`` says it."""
    return ', still rising' if statistics.mean(one.late_rise() for one in seeds) > STILL_RISING else ''


def short_table(lines: Iterable[dict], method: str = METHOD, key: str = 'mIoU_fg') -> str:
    """The rows of :data:`SHOWN`, of the case in the middle of all by its gain, and of the one that gained least."""
    found = cases(lines, method)
    gains = mean_gains(found, key)
    ranked = sorted(gains, key=gains.get)
    notes = {place: '' for shown in SHOWN for place in found if place.case == shown}
    for rank, note in (((len(ranked) - 1) // 2, 'the middle'), (0, 'the least')) if ranked else ():
        notes[ranked[rank]] = f', {note} of all {len(ranked)}'
    rows = [
        '| | labelled images | seeds | labels only | one branch of simEps-plus | gain |',
        f'|{"---|" * 6}',
    ]
    for place, note in notes.items():
        seeds = found[place]
        cells = [
            place.title + note,
            f'{seeds[0].semi["labeled"]} ({place.percent:g} %)',
            str(len(seeds)),
            spread([max(one.labels_only(key)) for one in seeds]),
            spread([one.alone(key) for one in seeds]),
            spread([one.gain(key) for one in seeds]),
        ]
        rows.append(f'| {" | ".join(cells)} |')
    if not notes:
        rows.append('| not yet measured | | | | | |')
    return '\n'.join(rows) + '\n'


def guide(lines: Iterable[dict], key: str = 'mIoU_fg') -> str:
    """What to take for how many labelled images, and what the recommended method brought: median, least and most of the gains.

    A case is a set with so many labels, and a network. Where the mean over the cases is within two standard errors of zero, or
    there are fewer than three of them, nothing is recommended.
    """
    tried = row_of_each_case(comparisons(lines, METHOD))
    gains = mean_gains(settled(tried), key)
    sizes = {place: seeds[0].semi['labeled'] for place, seeds in tried.items()}
    rows = ['| labelled images | what to take | cases | gain: median | least | most |', f'|{"---|" * 6}']
    for name, low, high in (
        (f'up to {FEW}', 0, FEW),
        (f'{FEW + 1} to {MORE}', FEW, MORE),
        (f'more than {MORE}', MORE, sys.maxsize),
    ):
        inside = [gain for place, gain in gains.items() if low < sizes[place] <= high]
        if inside:
            taken = advice(inside)
            figures = [f'{figure(inside):+.1f}' for figure in (statistics.median, min, max)]
            rows.append(f'| {" | ".join([name, taken, str(len(inside)), *figures])} |')
        else:
            rising = mean_gains({place: seeds for place, seeds in tried.items() if low < sizes[place] <= high}, key)
            known = ', '.join(f'{figure:+.1f}' for figure in rising.values())
            words = f'not yet known: from starts that were still rising {known}' if rising else 'not yet measured'
            rows.append(f'| {name} | {words} | 0 | | | |')
    return '\n'.join(rows) + '\n'


def advice(gains: Sequence[float]) -> str:
    """What to take where a method gained so much in some cases."""
    if len(gains) < 3:
        return f'not yet known: {counted(len(gains), "case")}'
    mean, error = statistics.mean(gains), statistics.stdev(gains) / len(gains) ** 0.5
    if abs(mean) <= 2 * error:
        return 'no difference seen'
    return f'`{METHOD}`' if mean > 0 else 'labels only'


def mean_gains(found: Mapping[Place, list[Comparison]], key: str) -> dict[Place, float]:
    """The gain of each row, the mean over its seeds."""
    return {place: statistics.mean(one.gain(key) for one in seeds) for place, seeds in found.items()}


def collapses(lines: Iterable[dict], method: str) -> list[bool]:
    """Of each run of a method that started from a network: whether its last weights find less than half of what that one finds
    on the test set, all branches or one, or a class no longer; or whether it ever fell so low on validation, whatever the
    guard did then.
    """
    by_run = {key_of(line['run']): line for line in lines}
    found = []
    for plateau, line in with_starts(by_run, method):
        before, last = plateau['best']['test'], line['last']['test']
        scores = [score or 0 for name, score in last.items() if name.endswith('mIoU_fg')]
        classes = [name for name, iou in before.items() if name.startswith('IoU.') and (iou or 0) > 0]
        looks, reference = line['validations'].values(), max(plateau['validations'].values())
        is_low = min(scores) < before['mIoU_fg'] / 2 or min(looks) < reference / 2
        found.append(is_low or any(not last[name] for name in classes))
    return found


def methods_table(lines: Iterable[dict], key: str = 'mIoU_fg') -> str:
    """What one network of each method gained, where another than ours was trained. In a column all have the same starts."""
    lines = list(lines)
    variants = {'': (), ', without batch renormalization': NO_RENORM, ', with batch renormalization': RENORM}
    by_method = {}
    for method in NAMES:
        for name, options in variants.items() if method != SUPERVISED else ():
            by_starts = by_method[NAMES[method] + name] = defaultdict(list)
            for place, seeds in comparisons(lines, method, options).items():
                for one in seeds:
                    by_starts[place, one.semi['run']['seed'] // BLOCK].append(one.gain(key))
    rivals = {place for name, found in by_method.items() for place, _ in found if not name.startswith(NAMES[METHOD])}
    columns = sorted({column for found in by_method.values() for column in found if column[0] in rivals})
    names = [
        f'{place.title}, {place.percent:g} %: {place.start:,}; {place.iters:,}; '
        f'seeds {BLOCK * block} to {BLOCK * block + BLOCK - 1}'
        for place, block in columns
    ]
    rows = [f'| | {" | ".join(names)} |', f'|{"---|" * (len(columns) + 1)}']
    for method, found in by_method.items():
        cells = [f'{spread(found[column])} ({len(found[column])})' if column in found else '' for column in columns]
        if any(cells):
            rows.append(f'| {method} | {" | ".join(cells)} |')
    return '\n'.join(rows) + '\n' if columns else 'Not yet measured.\n'


def verdict(lines: Iterable[dict], method: str = METHOD) -> Iterator[str]:
    """The gain of the worst set and of the one in the middle, in both scores, and of what was held out; how many collapsed."""
    lines = list(lines)
    found = cases(lines, method)
    for key, name in SCORES.items():
        gains = mean_gains(found, key)
        if gains:
            worst = min(gains, key=gains.get)
            yield (
                f'{name}: median gain {statistics.median(gains.values()):+.1f}, worst {gains[worst]:+.1f} '
                f'({worst.title}, {worst.percent:g} %), of {len(gains)} cases'
            )
    tried = comparisons(lines, method)
    held_out = {place: seeds for place, seeds in tried.items() if place.iters == HELD_OUT.get(place.dataset)}
    if held_out:
        gains = mean_gains(held_out, 'mIoU_fg')
        yield 'held out, foreground IoU: ' + ', '.join(
            f'{gain:+.1f} ({SETS[place.dataset]})' for place, gain in gains.items()
        )
    starts = [one.plateau['validations'] for seeds in found.values() for one in seeds]
    if early := sum(max(looks, key=looks.get) == next(iter(looks)) for looks in starts):
        yield f'labels only was best at the first of its looks in {early} of {len(starts)} runs: fewer steps might have done'
    if runs := collapses(lines, method):
        yield (
            'collapsed (below half of labels only: the last weights on the test set, all branches or one, or validation at '
            'any look; or a class lost): '
            f'{sum(runs)} of {len(runs)} runs'
        )


def said(lines: Iterable[dict], method: str = METHOD) -> str:
    """The verdict as a list in Markdown."""
    return ''.join(f'- {text}.\n' for text in verdict(lines, method))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, nargs='+', default=[WARM])
    parser.add_argument('--method', default=METHOD)
    parser.add_argument('--score', choices=SCORES, default='mIoU_fg')
    parser.add_argument('--update', action='store_true', help='write the tables into their pages')
    args = parser.parse_args()
    lines = read(args.results)
    table = markdown(lines, args.method, args.score)
    if args.update:
        update(PAGE, table, BEGIN)
        update(PAGE, said(lines, args.method), SAID)
        update(RESEARCH, markdown(lines, args.method, args.score, NO_RENORM), WITHOUT_RENORM)
        write_figure(cases(lines, args.method), FIGURE)
        update(PAGE, guide(lines, args.score), GUIDE)
        update(PAGE, methods_table(lines, args.score), RIVALS)
        update(README, short_table(lines, args.method, args.score), BEGIN)
        return
    print(table, said(lines, args.method), sep='\n')


if __name__ == '__main__':
    main()
