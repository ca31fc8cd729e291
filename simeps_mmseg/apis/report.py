"""One HTML file about a training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from ..deploy import find_checkpoint
from ..evaluation.defect_iou_metric import SUMMARY
from ..report import Block, Chart, Code, Page, Section, Table, Text, charts, log_findings, render
from ..report.environment import environment_of
from ..report.findings import deciding_score
from ..utils.files import whole_file
from ..visualization.curves import COURSE, HEALTH, LOSSES, VALIDATION, Curve, Panel, panels_of
from ..visualization.similarity import logged_similarity
from ..visualization.training_log import TrainingLog, read_training_log
from . import check_dataset
from .check_dataset import LABELED, UNLABELED, Source, find_sources, inspect_sources
from .config import merge_options
from .report_images import model_sections
from .visualize_similarity import config_beside

PARTS = (LABELED, UNLABELED, check_dataset.VALIDATION, check_dataset.TEST)
MOST_LABELED = 500  # masks that are opened to count classes


def report(
    work_dir: str | Path,
    out: str | Path | None = None,
    checkpoint: str | None = None,
    split: str = 'val',
    images: int = 200,
    unlabeled: int = 100,
    device: str = 'cpu',
    options: Sequence[str] = (),
) -> Path:
    """Write all that is known of a training into one HTML file that needs no network.

    What is missing (a run that crashed before its first checkpoint, data that has moved, a labels-only run without
    pseudo-labels) is said in the place where it would stand; the rest is there.

    Args:
        work_dir: Of the training.
        out: The file; by default ``report.html`` in the work folder.
        checkpoint: Path of the weights; by default the best one by validation if there is one, else the last one.
        split: ``'val'`` or ``'test'``: whose images are scored and shown.
        images: At most so many, evenly spaced. 0: all.
        unlabeled: At most so many unlabelled images are ranked. 0: none.
        device: Such as ``cpu`` or ``cuda:0``.
        options: ``key=value`` changes of the config, such as where the data is now.

    Returns:
        The file.

    Raises:
        UserError: If there is no training log, or a checkpoint that was asked for is not there.
    """
    work_dir = Path(work_dir)
    log = read_training_log(work_dir)
    cfg = config_beside(work_dir)
    if cfg is not None:
        merge_options(cfg, options)
    run = _Run(work_dir, log, cfg)
    findings = log_findings(log, run.max_iters)
    sections = [_curves('Validation scores', log, VALIDATION)]
    weights, why = run.checkpoint(checkpoint)
    distances = _similarity_over_time(log)
    if weights is None:
        sections += [Section('Images', [Text(why)]), Section('Similarity maps', distances)]
    else:
        found, shown = model_sections(cfg, weights, distances, split, images, unlabeled, device)
        findings += found
        sections += shown
    sections += [
        _curves('Health of the pseudo-labels', log, HEALTH),
        _curves('Losses', log, LOSSES),
        _curves('Course of the training', log, COURSE),
        *_data(run),
        _environment(run),
    ]
    page = Page(
        title=run.title,
        subtitle=f'Training report of {work_dir.resolve().name}',
        facts=run.facts(weights),
        findings=sorted(findings, key=lambda finding: not finding.serious),
        sections=[section for section in sections if section.blocks],
    )
    target = Path(out) if out else work_dir / 'report.html'
    with whole_file(target) as partial:
        partial.write_text(render(page, charts.plotly_script()), encoding='utf-8')
    print(f'report: {target} ({target.stat().st_size / 1e6:.1f} MB)')
    return target


@dataclass
class _Run:
    """A training as it lies in its work folder."""

    work_dir: Path
    log: TrainingLog
    cfg: Config | None

    @property
    def max_iters(self) -> int | None:
        return (self.cfg.get('train_cfg') or {}).get('max_iters') if self.cfg is not None else None

    @property
    def title(self) -> str:
        if self.cfg is None:
            return self.work_dir.resolve().name
        return f'{_method(self.cfg)}: {_network(self.cfg)}'

    def checkpoint(self, wanted: str | None) -> tuple[Path | None, str]:
        """The weights to look at, or why there are none."""
        if self.cfg is None:
            return None, 'No config lies beside the log (vis_data/config.py), so the model cannot be built.'
        if wanted:
            return find_checkpoint(wanted), ''
        best = sorted(self.work_dir.glob('best_*.pth'), key=lambda file: file.stat().st_mtime)
        if best:
            return best[-1], ''
        pointer = self.work_dir / 'last_checkpoint'
        last = self.work_dir / Path(pointer.read_text().strip()).name if pointer.is_file() else None
        if last is not None and last.is_file():
            return last, ''
        return None, (
            f'There is no checkpoint in {self.work_dir}: the training ended before its first one '
            '(default_hooks.checkpoint.interval), or it was moved (--checkpoint FILE).'
        )

    def facts(self, weights: Path | None) -> list[tuple[str, str]]:
        """What stands at the head of the page."""
        done = f'{self.log.last_step:,}' + (f' of {self.max_iters:,}' if self.max_iters else '')
        facts = [('Iterations', done)]
        key = deciding_score(self.log)
        if key:
            steps, values = self.log.series(key, 'val')
            shown = f'{values[-1]:.1f} % {key} at iteration {int(steps[-1]):,}'
            facts.append(('Last validation', shown))
        seconds = self.log.series('time')[1]
        if len(seconds):
            hours = np.median(seconds) * self.log.last_step / 3600
            spent = f'{hours:.1f} hours' if hours >= 1 else f'{60 * hours:.0f} minutes'
            facts.append(('Time of training', f'about {spent} at {np.median(seconds):.2f} s an iteration'))
        memory = self.log.series('memory')[1]
        if len(memory):
            facts.append(('Peak memory of the device', f'{memory.max():,.0f} MiB'))
        facts.append(('Weights', weights.name if weights else 'none'))
        return facts


def _method(cfg: Config) -> str:
    name = cfg.model.type if isinstance(cfg.model.type, str) else cfg.model.type.__name__
    if name in ('MultiBranchSemiSegmentor', 'TriBranchSemiSegmentor'):
        return 'simEps' if cfg.model.get('similarity') else 'Cross pseudo supervision'
    return name.removesuffix('SemiSegmentor') if 'SemiSegmentor' in name else 'Labels only'


def _network(cfg: Config) -> str:
    branches = cfg.model.get('branches') or [cfg.model.get('branch') or cfg.model]
    return ', '.join(dict.fromkeys(f'{b.backbone.type} with {_heads(b.decode_head)}' for b in branches))


def _heads(head: dict | Sequence[dict]) -> str:
    heads = head if isinstance(head, (list, tuple)) else [head]
    return ' and '.join(one['type'] for one in heads)


# -- sections from the log -------------------------------------------------------------------------------------------


def _curves(title: str, log: TrainingLog, section: str) -> Section:
    drawn = [charts.panel_chart(panel, log.resumed) for panel in panels_of(log) if panel.section == section]
    if section != VALIDATION:
        return Section(title, drawn)
    return Section(title, [_score_table(log), *drawn] if drawn else [])


def _score_table(log: TrainingLog) -> Table:
    """Last validation of model and branches, and the best one of the model."""
    keys = [key for key in SUMMARY if key in log.scalars('val')]
    rows = []

    def row(name: str, prefix: str, place: Callable[[np.ndarray], int]) -> None:
        cells = []
        for key in keys:
            values = log.series(f'{prefix}{key}', 'val')[1]
            cells.append(f'{values[place(values)]:.2f}' if len(values) else '')
        rows.append([name, *cells])

    row('last validation', '', lambda values: -1)
    row('best of each column', '', lambda values: int(np.nanargmax(values)) if np.isfinite(values).any() else -1)
    k = 0
    while any(f'branch_{k}.{key}' in log.scalars('val') for key in keys):
        row(f'branch {k} alone, last', f'branch_{k}.', lambda values: -1)
        k += 1
    return Table(['per cent', *keys], rows)


def _similarity_over_time(log: TrainingLog) -> list[Chart]:
    """How far apart the similarity maps of the branches were."""
    curves = tuple(Curve(f'{part}, {stage}', *values) for (part, stage), values in logged_similarity(log).items())
    if not curves:
        return []
    panel = Panel('Distance of the maps of the branches, weighted as logged', LOSSES, '', curves, log_scale=True)
    return [charts.panel_chart(panel, log.resumed)]


# -- sections from config and log ------------------------------------------------------------------------------------


def _data(run: _Run) -> Iterator[Section]:
    """How many images there are, of which folders, and which classes the labels show."""
    if run.cfg is None:
        return
    title = 'Data'
    sources, problems = find_sources(run.cfg)
    if not sources:
        yield Section(
            title, [Text(f'The data could not be listed: {problems[0] if problems else "none in the config"}')]
        )
        return
    counts = {part: sum(len(s.infos) for s in sources if s.part == part) for part in PARTS}
    trained_on = counts[LABELED] + counts[UNLABELED]
    rows = []
    for part in PARTS:
        own = [source for source in sources if source.part == part]
        if own:
            share = f'{counts[part] / trained_on:.1%}' if part in (LABELED, UNLABELED) and trained_on else ''
            rows.append([part, f'{counts[part]:,}', share, ', '.join(dict.fromkeys(map(_place, own)))])
    blocks = [Table(['part', 'images', 'of the training images', 'in'], rows, words=True)]
    labeled = [source for source in sources if source.part == LABELED and source.classes]
    if labeled:
        blocks.append(_class_table(labeled))
    yield Section(title, blocks)


def _place(source: Source) -> str:
    return str(Path(source.infos[0]['img_path']).parent) if source.infos else source.key


def _class_table(labeled: Sequence[Source]) -> Table | Text:
    """Images and pixels of each class among the labelled ones."""
    some = [
        source._replace(infos=[source.infos[index] for index in charts.thinned(len(source.infos), MOST_LABELED)])
        for source in labeled
    ]
    reports = inspect_sources(some, workers=0)
    broken = [problem for one in reports for problem in one.problems if problem.is_error]
    if broken:
        return Text(
            f'{len(broken)} errors in the labelled files, such as {broken[0]}; tools/check_dataset.py lists them.'
        )
    classes = labeled[0].classes
    pixels = [sum(one.classes.get(index, 0) for one in reports) for index in range(len(classes))]
    shown_in = [sum(one.classes.get(index, 0) > 0 for one in reports) for index in range(len(classes))]
    total = sum(pixels) or 1
    rows = [
        [name, f'{100 * pixels[index] / total:.2f} %', f'{shown_in[index]:,}'] for index, name in enumerate(classes)
    ]
    return Table(['class', 'of the labelled pixels', 'labelled images that show it'], rows)


def _environment(run: _Run) -> Section:
    blocks: list[Block] = []
    rows = environment_of(run.work_dir)
    if rows:
        blocks.append(Table(['environment', ''], rows, words=True))
    if run.cfg is not None:
        blocks.append(Code('The whole config', run.cfg.pretty_text))
    return Section('Environment and config', blocks)
