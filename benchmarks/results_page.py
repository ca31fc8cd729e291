"""Write docs/results.md and its figure from the lines of compare.py.

    python benchmarks/results_page.py                               # from benchmarks/results/*.jsonl
    python benchmarks/results_page.py --results a.jsonl b.jsonl --page /tmp/results.md --figure /tmp/curve.png

The page is never edited by hand. What has to be said beside the numbers is in benchmarks/results_recipes.md, which is put into
it.
"""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import gains
from benchmarks.pages import markdown_table
from benchmarks.protocols import PROTOCOLS, SUPERVISED, VALIDATIONS, protocol_of
from benchmarks.results import EARLIER_OPTIONS, NAMES, mean_branch, rank, read, shipped

PAGE = ROOT / 'docs/results.md'
FIGURE = ROOT / 'docs/images/label_curve.png'
NOTES = ROOT / 'benchmarks/results_recipes.md'
PUBLISHED = Path(__file__).resolve().parent / 'published.json'
DATASETS = dict(neu='NEU-Seg', magnetic_tile='Magnetic Tile', dagm='DAGM 2007', synthetic='the generated set')
NONE = '-'

# Okabe and Ito's colours, a brown and a violet, which the colour-blind can tell apart; the markers differ for print in grey.
STYLES = [
    ('#000000', 'o'),
    ('#8B4513', 'p'),
    ('#0072B2', 's'),
    ('#D55E00', '^'),
    ('#009E73', 'D'),
    ('#CC79A7', 'v'),
    ('#E69F00', 'P'),
    ('#56B4E9', 'X'),
    ('#999999', '*'),
    ('#660066', 'h'),
]
FROM_LABELS = (
    'Per-image mIoU, per cent, of the weights that are best on validation by foreground IoU. Foreground IoU of the same runs, '
    'what the columns are and how to read them: [gains.md](gains.md).'
)
BESIDE_PUBLISHED = (
    'Per-image mIoU, per cent, with the number of seeds. Ours: 96 x 96 pixels, a network on labels, then simEps-plus from '
    'there; labels only is the better of two ([which](#from-a-network-on-labels)). Published: 256 x 256 pixels, 48,000 steps '
    'from nothing, another U-Net, a split of its own.'
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--results', type=Path, nargs='+', default=shipped())
    parser.add_argument('--page', type=Path, default=PAGE)
    parser.add_argument('--figure', type=Path, default=FIGURE)
    args = parser.parse_args()
    lines = started_from_nothing(args.results)
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(page(lines, load_published(), notes(), figure_link(args.page, args.figure), warm_start()))
    write_figure(lines, args.figure)


def started_from_nothing(paths: Iterable[Path]) -> list[dict]:
    """The lines of some files, without those of protocol ``warm`` and of others that go on from a network on labels."""
    return [line for line in read(path for path in paths if path != gains.WARM) if not line['run']['start']]


def warm_start() -> str:
    """The section on runs that start from a network on labels; empty where there are none."""
    lines = read([gains.WARM])
    if not gains.comparisons(lines, gains.METHOD):
        return ''
    first = ['## NEU-Seg by number of labels', by_labels(lines, load_published())]
    per_image = gains.markdown(lines, key='mIoU_image').rstrip('\n')
    return '\n\n'.join([*first, '## From a network on labels', FROM_LABELS, per_image])


def by_labels(lines: list[dict], published: dict, key: str = 'mIoU_image') -> str:
    """One row per number of labels of NEU-Seg: the better labels only, one network of the recipe, and what was published."""
    ours = {
        place: seeds
        for place, seeds in gains.comparisons(lines, gains.METHOD).items()
        if place.dataset == 'neu' and place.model == 'unet'
    }
    theirs = {
        row['method']: row for row in published['rows'] if row['dataset'] == 'neu' and 'unet' in (row['models'] or [])
    }
    rows = [
        '| labelled images | labels only | simEps-plus, one branch | its gain | published: labels only | published: simEps |',
        f'|{"---|" * 6}',
    ]
    for place, seeds in gains.row_of_each_case(ours).items():
        cells = [
            f'{seeds[0].semi["labeled"]} ({place.percent:g} %)',
            spread([max(one.labels_only(key)) for one in seeds]),
            spread([one.alone(key) for one in seeds]),
            spread([one.gain(key) for one in seeds]),
            *(published_cell(theirs.get(method), place.percent) for method in ('supervised', 'simeps')),
        ]
        rows.append(f'| {" | ".join(map(str, cells))} |')
    return '\n'.join([*rows, '', BESIDE_PUBLISHED])


def load_published() -> dict:
    return json.loads(PUBLISHED.read_text())


def notes() -> str:
    """The section that is written by hand, if there is one."""
    return NOTES.read_text() if NOTES.is_file() else ''


def figure_link(page_path: Path = PAGE, figure: Path = FIGURE) -> str:
    """Path of the figure as the page has to name it."""
    page_path, figure = page_path.resolve(), figure.resolve()
    inside = figure.is_relative_to(page_path.parent)
    return figure.relative_to(page_path.parent).as_posix() if inside else figure.as_posix()


# -- the page --------------------------------------------------------------------------------------------------------


def page(
    lines: list[dict], published: dict, notes: str = '', figure: str = 'images/label_curve.png', warm: str = ''
) -> str:
    """The whole page, in Markdown."""
    check_labels(lines)
    parts = ['<!-- written by benchmarks/results_page.py; do not edit -->', '# Results', introduction()]
    if warm:
        parts.append(warm)
    if lines:
        parts += [
            '## From nothing',
            from_nothing_introduction(len(lines)),
            f'![per-image mIoU against the percentage of labels]({figure})',
        ]
    for key, group in grouped(lines):
        parts += section(key, group, published)
    if lines:
        parts += ['## Sources of the published numbers', sources(lines, published)]
    if notes:
        parts.append(notes.strip())
    return '\n\n'.join(parts) + '\n'


def introduction() -> str:
    return (
        'Made from finished runs of `benchmarks/compare.py`, one line each in `benchmarks/results/`, by '
        '`python benchmarks/results_page.py`. Scores are in per cent, on the test set. *Per image* '
        "is the protocol of simEps's paper (mean over the defect classes present in an image, then over the images with a "
        'defect); *data set* sums the areas over all images first and takes the mean over the defect classes. A cell is the '
        'mean ± the standard deviation over runs, which differ in seed or split, and in brackets their number; '
        f'`{NONE}` was not measured. *One network alone* is the mean over the networks of a run, each predicting by itself: '
        'what an exported branch does.'
    )


def from_nothing_introduction(count: int) -> str:
    return (
        f'{count} run{"" if count == 1 else "s"} of networks that start from random weights, each section of one protocol. '
        'Their recipes are earlier ones ([what differs](#recipes-of-these-runs)).\n\n'
        'Every method gets the same labelled images, as many of them per step, and the same number of optimiser steps. '
        'What it forwards per step beside them differs, and is counted. All tables but one are of the weights of the last '
        f'step; validation, up to {VALIDATIONS} times in a run, chooses the best weights in that one. The test set chooses '
        'nothing.'
    )


def grouped(lines: Iterable[dict]) -> list[tuple[tuple[str, str, str], list[dict]]]:
    """Lines that belong into one table: of one protocol, data set and network."""
    groups = defaultdict(list)
    for line in lines:
        run = line['run']
        groups[protocol_of(run), run['dataset'], run['model']].append(line)

    def place(item: tuple) -> tuple:
        """Named protocols first, the longest of them at the top."""
        (protocol, *_), _ = item
        return protocol not in PROTOCOLS, -PROTOCOLS.get(protocol, {}).get('iters', 0), item[0]

    return sorted(groups.items(), key=place)


def check_labels(lines: Iterable[dict]) -> None:
    """Raise ``ValueError`` where runs that are to be compared did not see the same labels."""
    seen: dict[tuple, str] = {}
    for line in lines:
        run, found = line['run'], line['labeled_checksum']
        key = run['dataset'], run['percent'], run['split_seed']
        if found and seen.setdefault(key, found) != found:
            raise ValueError(
                f'{run["method"]}, seed {run["seed"]}: {key[1]} % of {key[0]}, split {key[2]}, are other images ({found}) '
                f'than in another line ({seen[key]}); prepare the data with the same options and train it again'
            )


def section(key: tuple[str, str, str], lines: list[dict], published: dict) -> list[str]:
    """All there is to say of one protocol on one data set with one network."""
    protocol, dataset, model = key
    percents = sorted({line['run']['percent'] for line in lines})
    everything = methods_of(lines)
    methods = [method for method in everything if original(method) not in everything]
    rows = [row for row in published['rows'] if row['dataset'] == dataset and (row['models'] or [model]).count(model)]
    parts = [
        f'## {DATASETS.get(dataset, dataset)}, `{model}`, protocol {protocol}',
        protocol_text(lines),
        '### Per-image mIoU',
        score_table(lines, methods, percents, 'mIoU_image', rows),
        '### Data-set foreground IoU',
        score_table(lines, methods, percents, 'mIoU_fg'),
    ]
    for title, text in (
        ('Against labels only, run by run', head_to_head(lines, methods, percents)),
        ('What a change of a method brings', change_table(lines, everything, percents)),
        ('IoU of each class over the data set', class_table(lines, everything, percents)),
        ('Pseudo-labels of each class', pseudo_table(lines, everything, percents)),
        ('The last weights and the best on validation', best_table(lines, methods, percents)),
        ('What a run takes', cost_table(lines, methods)),
    ):
        if text:
            parts += [f'### {title}', text]
    return parts


def protocol_text(lines: list[dict]) -> str:
    run = lines[0]['run']
    labels = {line['run']['percent']: line.get('labeled') for line in lines}
    counts = ', '.join(f'{percent:g} % are {count}' for percent, count in sorted(labels.items()) if count)
    splits = ', '.join(map(str, sorted({line['run']['split_seed'] for line in lines})))
    return (
        f'{run["size"]} x {run["size"]} pixels, {run["batch"]} labelled images per step (and as many unlabelled ones where a '
        f'method uses them), {run["iters"]:,} steps, {"random" if run["flips"] else "no"} flips. Labelled images: {counts}; '
        f'split {splits}. {len(lines)} run{"" if len(lines) == 1 else "s"} on: {devices_text(lines)}.'
    )


def devices_text(lines: list[dict]) -> str:
    """What computed, in which precision; for which percentages where these differ in that."""
    used = defaultdict(set)
    for line in lines:
        device = f'{line.get("device", "unknown device")} ({line.get("precision", "float32")})'
        used[line['run']['percent']].add(device)
    columns = defaultdict(list)
    for percent, devices in sorted(used.items()):
        columns['; '.join(sorted(devices))].append(f'{percent:g} %')
    if len(columns) == 1:
        return next(iter(columns))
    return '; '.join(f'{devices} for {" and ".join(percents)}' for devices, percents in columns.items())


Method = tuple[str, tuple[str, ...]]


def methods_of(lines: Iterable[dict]) -> list[Method]:
    """The methods, each with its further options, in the order of the tables."""
    found = {method_of(line) for line in lines}
    return sorted(found, key=lambda method: (rank(method[0]), method))


def method_of(line: dict) -> Method:
    return line['run']['method'], tuple(line['run']['options'])


def original(method: Method) -> Method | None:
    """The method without its further options; None for one that has none."""
    name, options = method
    return (name, ()) if options else None


def label_of(method: Method) -> str:
    name, options = method
    shown = NAMES.get(name, name)
    removed = ' (of an earlier config)' if any(option.startswith(EARLIER_OPTIONS) for option in options) else ''
    return f'{shown}, `{" ".join(options)}`{removed}' if options else shown


def score_table(
    lines: list[dict], methods: list[Method], percents: list[float], key: str, published: list[dict] | None = None
) -> str:
    """One row per method and, of several networks, one for a single one of them; one column per percentage.

    Published numbers stand beside ours, marked ~ where read from a figure.
    """
    published = published or []
    shown = [percent for percent in percents if any(f'{percent:g}' in row['values'] for row in published)]
    header = ['method', 'images forwarded per step']
    for percent in percents:
        header += [f'{percent:g} %', *([f'{percent:g} %, published'] if percent in shown else [])]
    ours = {name for name, options in methods if not options}
    elsewhere = [row for row in published if row['method'] not in ours]
    rows = []
    for method in methods:
        name, options = method
        own = next((p for p in published if p['method'] == name and not options), None)
        images = images_text([line for line in lines if method_of(line) == method])
        for alone in (False, True):
            scores = [own_scores(select(lines, method, percent), key, alone) for percent in percents]
            if alone and not any(scores):
                continue
            row = [label_of(method) + ', one network alone' * alone, NONE if alone else images]
            for percent, values in zip(percents, scores):
                row.append(spread(values))
                row += [NONE if alone else published_cell(own, percent)] if percent in shown else []
            rows.append(row)
    for other in elsewhere:
        row = [f'{other["name"]} (published only)', NONE]
        for percent in percents:
            row += [NONE, *([published_cell(other, percent)] if percent in shown else [])]
        if any(f'{percent:g}' in other['values'] for percent in percents):
            rows.append(row)
    return markdown_table(header, rows)


def own_scores(lines: list[dict], key: str, alone: bool) -> list[float]:
    """A score of each run; with ``alone`` the mean over its networks, each taken alone, of the runs that scored these."""
    scores = [mean_branch(line['last']['test'], key) if alone else value(line, key) for line in lines]
    return [score for score in scores if score is not None]


def published_cell(row: dict | None, percent: float) -> str:
    number = None if row is None else row['values'].get(f'{percent:g}')
    return NONE if number is None else f'{"~" if row["figure"] else ""}{number:g}'


def head_to_head(lines: list[dict], methods: list[Method], percents: list[float]) -> str:
    """Differences to the labels-only runs of the same seed and split; nothing without such pairs."""
    bases = {'as many labels': None, **({'all labels': 100} if 100 in percents else {})}
    rows = []
    for method in methods:
        for name, base in bases.items():
            cells = [
                signed(differences(lines, method, (SUPERVISED, ()), percent, base_percent=base)) for percent in percents
            ]
            if any(cell != NONE for cell in cells) and (method[0] != SUPERVISED or base):
                rows.append([label_of(method), name, *cells])
    if not rows:
        return ''
    text = (
        'Per-image mIoU less that of labels only with the same seed and split, with as many labels or with all of them: mean '
        '± standard deviation of differences.'
    )
    return (
        f'{text}\n\n{markdown_table(["method", "labels only with", *(f"{percent:g} %" for percent in percents)], rows)}'
    )


def change_table(lines: list[dict], methods: list[Method], percents: list[float]) -> str:
    """What runs with further options have more than those of the method as its config has it; nothing without such runs."""
    rows = []
    for percent in percents:
        for method in methods:
            base = original(method)
            if base not in methods or not (found := select(lines, method, percent)):
                continue
            pairs = [differences(lines, method, base, percent, key) for key in ('mIoU_image', 'mIoU_fg')]
            score = spread([value(line, 'mIoU_image') for line in found])
            rows.append([f'{percent:g} %', label_of(method), score, *map(signed, pairs)])
    if not rows:
        return ''
    header = [
        'labels',
        'method with changed options',
        'per-image mIoU',
        'more than as it is',
        'data-set foreground IoU, more',
    ]
    text = (
        'Differences to the method as its config has it, within one seed and split. A single one says little where it is '
        'no larger than the spread over seeds in the tables above.'
    )
    return f'{text}\n\n{markdown_table(header, rows)}'


def differences(
    lines: list[dict],
    method: Method,
    base: Method,
    percent: float,
    key: str = 'mIoU_image',
    base_percent: float | None = None,
) -> list[float]:
    """Scores of a method less those of another with the same seed and split, in the order of these.

    The other has as many labels, or ``base_percent`` of them; the difference of a run to itself is none.
    """

    def by_seed(one: Method, labels: float) -> dict[tuple, float | None]:
        found = select(lines, one, labels)
        return {(line['run']['seed'], line['run']['split_seed']): value(line, key) for line in found}

    labels = percent if base_percent is None else base_percent
    if (method, percent) == (base, labels):
        return []
    own, other = by_seed(method, percent), by_seed(base, labels)
    return [own[key] - other[key] for key in sorted(own.keys() & other.keys()) if None not in (own[key], other[key])]


def class_table(lines: list[dict], methods: list[Method], percents: list[float]) -> str:
    classes = list(
        dict.fromkeys(key.split('.', 1)[1] for line in lines for key in line['last']['test'] if key.startswith('IoU.'))
    )
    rows = [
        [
            f'{percent:g} %',
            label_of(method),
            *(spread([value(line, f'IoU.{name}') for line in found]) for name in classes),
        ]
        for percent in percents
        for method in methods
        if (found := select(lines, method, percent))
    ]
    return markdown_table(['labels', 'method', *classes], rows)


def pseudo_table(lines: list[dict], methods: list[Method], percents: list[float]) -> str:
    """Which classes the pseudo-labels have lost, where lines know it."""
    rows = []
    for percent in percents:
        for method in methods:
            found = [last for line in select(lines, method, percent) if (last := last_pseudo_labels(line))]
            if found:
                rows.append((percent, method, found))
    if not rows:
        return ''
    classes = list(dict.fromkeys(name for *_, found in rows for shares in found for name in shares))
    cells = [
        [f'{percent:g} %', label_of(method), *(spread([shares.get(name) for shares in found], 2) for name in classes)]
        for percent, method, found in rows
    ]
    text = (
        'Share of a class among the pixels with a pseudo-label over its share among the labelled ones, in the last steps: '
        '1 is its due, 0 has vanished.'
    )
    return f'{text}\n\n{markdown_table(["labels", "method", *classes], cells)}'


def last_pseudo_labels(line: dict) -> dict[str, float]:
    """What the last validation of a run found of its pseudo-labels; empty where that is not known."""
    history = line.get('pseudo_labels') or {}
    return history[max(history, key=int)] if history else {}


def best_table(lines: list[dict], methods: list[Method], percents: list[float]) -> str:
    """Scores of the last and of the best weights, of lines that have both."""
    rows = []
    for percent in percents:
        for method in methods:
            found = [line for line in select(lines, method, percent) if line['best']]
            if found:
                steps = ', '.join(f'{step:,}' for step in sorted(line['best']['iter'] for line in found))
                last, best = ([value(line, 'mIoU_image', which) for line in found] for which in ('last', 'best'))
                rows.append([f'{percent:g} %', label_of(method), spread(last), spread(best), steps])
    if not rows:
        return ''
    return markdown_table(
        ['labels', 'method', 'per-image mIoU, last', 'best on validation', 'its step, in each run'], rows
    )


def cost_table(lines: list[dict], methods: list[Method]) -> str:
    rows = []
    for method in methods:
        own = [line for line in lines if method_of(line) == method]
        for device in sorted({line.get('device', NONE) for line in own}):
            found = [line for line in own if line.get('device', NONE) == device]
            jobs = sorted({line.get('jobs', 1) for line in found})
            rows.append(
                [
                    label_of(method),
                    middle(found, lambda line: line['parameters'] / 1e6, '{:.1f} M'),
                    seen_text(found),
                    images_text(found),
                    middle(found, lambda line: line['seconds_per_step'], '{:.3f} s'),
                    middle(found, lambda line: line['seconds'] / 60, '{:.0f} min'),
                    middle(found, lambda line: line['peak_memory_mib'], '{:,.0f} MiB'),
                    ', '.join(map(str, jobs)),
                    device,
                ]
            )
    header = [
        'method',
        'parameters of all networks',
        'images drawn, labelled + unlabelled',
        'images forwarded per step',
        'a step',
    ]
    return (
        'Medians over the runs; the time of a step under the load of as many runs at a time as stated.\n\n'
        + markdown_table([*header, 'a training', 'peak memory', 'runs at a time', 'device'], rows)
    )


def middle(lines: list[dict], number: Callable[[dict], float], form: str) -> str:
    """Median over the lines that have the number."""
    values = []
    for line in lines:
        try:
            values.append(number(line))
        except KeyError:  # a line of the first version
            continue
    return form.format(statistics.median(values)) if values else NONE


def seen_text(lines: list[dict]) -> str:
    seen = {
        (line['images_seen']['labeled'], line['images_seen']['unlabeled']) for line in lines if 'images_seen' in line
    }
    return ' / '.join(f'{labeled:,} + {unlabeled:,}' for labeled, unlabeled in sorted(seen)) or NONE


def images_text(lines: list[dict]) -> str:
    """Images that pass a network in one step: with a gradient, and how many more without one."""
    counts = {(one['grad'], one['no_grad']) for line in lines if (one := line['images_per_step'])}
    return (
        ' / '.join(f'{grad:g}' + (f' + {rest:g} without gradient' if rest else '') for grad, rest in sorted(counts))
        or NONE
    )


def sources(lines: list[dict], published: dict) -> str:
    datasets = {line['run']['dataset'] for line in lines}
    used = sorted({row['source'] for row in published['rows'] if row['dataset'] in datasets})
    listed = '\n'.join(f'- {name}: {published["sources"][name]}' for name in used)
    return (
        f'Published numbers are {published["metric"]}, each under the settings of its paper (simEps on NEU-Seg: 256 x 256 '
        'pixels, 48,000 steps), on unpublished splits, without variance: of our protocols only `paper` with the same network '
        f'comes near. `~`: read from a figure.\n\n{listed}'
    ).rstrip()


def select(lines: Iterable[dict], method: Method, percent: float) -> list[dict]:
    return [line for line in lines if method_of(line) == method and line['run']['percent'] == percent]


def value(line: dict, key: str, which: str = 'last') -> float | None:
    return line[which]['test'].get(key)


def spread(values: Iterable[float | None], digits: int = 1) -> str:
    """Mean ± standard deviation (count); without the deviation for a single value."""
    known = [one for one in values if one is not None]
    if not known:
        return NONE
    deviation = f' ± {statistics.stdev(known):.{digits}f}' if len(known) > 1 else ''
    return f'{statistics.mean(known):.{digits}f}{deviation} ({len(known)})'


def signed(values: list[float]) -> str:
    """Differences with their sign, else as :func:`spread` writes them."""
    text = spread(values)
    return text if text.startswith('-') else f'+{text}'


# -- the figure ------------------------------------------------------------------------------------------------------


def curves(lines: Iterable[dict]) -> dict[str, list[tuple[float, float, float]]]:
    """For each method without further options: percentage, mean and spread of the per-image mIoU."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    lines = list(lines)
    for method in methods_of(lines):
        for percent in sorted({line['run']['percent'] for line in lines}):
            scores = [
                score for line in select(lines, method, percent) if (score := value(line, 'mIoU_image')) is not None
            ]
            if scores and not method[1]:
                deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
                found.setdefault(method[0], []).append((percent, statistics.mean(scores), deviation))
    return found


def write_figure(lines: list[dict], path: Path) -> None:
    """One panel per named protocol, data set and network with two methods and three percentages or more."""
    figure = label_curve(lines)
    if figure is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={'Software': None})


def label_curve(lines: list[dict]):
    """The figure: per-image mIoU against the percentage of labels; None where no panel has enough runs."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    panels = [
        (key, found)
        for key, group in grouped(lines)
        if key[0] in PROTOCOLS and len(found := curves(group)) > 1 and max(map(len, found.values())) > 2
    ]
    if not panels:
        return None
    figure = Figure(figsize=(1.8 + 4.2 * len(panels), 3.8), layout='constrained')
    handles = {}
    for axes, (key, found) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        for name, points in found.items():
            colour, marker = STYLES[rank(name) % len(STYLES)]
            percents, means, deviations = zip(*points)
            handles[name] = axes.errorbar(
                percents, means, deviations, color=colour, marker=marker, markersize=6, capsize=3, linewidth=1.3
            )
        ticks = sorted({percent for points in found.values() for percent, _, _ in points})
        axes.set_xscale('log')
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f'{tick:g}' for tick in ticks])
        axes.set(xlabel='labels, % of the training images', ylabel='per-image mIoU on test, %')
        axes.set_title(f'{DATASETS.get(key[1], key[1])}, {key[2]}, {key[0]}', fontsize=10)
        axes.grid(alpha=0.3)
    names = sorted(handles, key=rank)
    figure.legend(
        [handles[name] for name in names], [NAMES.get(name, name) for name in names], loc='outside right center'
    )
    return figure


if __name__ == '__main__':
    main()
