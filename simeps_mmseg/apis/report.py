"""One HTML file about a training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config

from .. import __version__
from ..datasets import inspection
from ..datasets.file_reports import inspect_sources
from ..datasets.inspection import LABELED, UNLABELED, Problem
from ..datasets.sources import Source, find_sources, part_configs
from ..deploy import find_checkpoint, read_checkpoint
from ..deploy.labels_only import WEIGHTS, read_record
from ..deploy.stock_config import branch_configs, type_name
from ..evaluation.defect_iou_metric import SUMMARY
from ..report import (
    Block,
    Chart,
    Circumstances,
    Code,
    Finding,
    Page,
    Section,
    Table,
    Text,
    charts,
    checks_made,
    log_findings,
    render,
)
from ..report.environment import environment_of
from ..report.findings import deciding_score
from ..utils import UserError, evenly_spaced
from ..utils.files import check_writable, whole_file
from ..visualization.curves import COURSE, HEALTH, LOSSES, VALIDATION, Curve, Panel, panels_of
from ..visualization.similarity import logged_similarity
from ..visualization.training_log import TrainingLog, num_branches, read_training_log
from .config import merge_options
from .report_images import decided_by, model_sections
from .visualize_similarity import config_beside

PARTS = (LABELED, UNLABELED, inspection.VALIDATION, inspection.TEST)
MOST_LABELED = 500  # masks that are opened to count classes
SINGLE = dict(MeanTeacherSegmentor='Mean Teacher', FixMatchSegmentor='FixMatch', UniMatchSegmentor='UniMatch')


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

    What is missing (a run that crashed before its first checkpoint, data that has moved) is said in the place where it would
    stand; the rest is there. A labels-only run has no sections on pseudo-labels, similarity and ranking.

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
        UserError: If it is no folder, has no training log, or a checkpoint that was asked for is not there.
    """
    work_dir = Path(work_dir)
    if work_dir.is_file():
        raise UserError(f'{work_dir} is a file; give the work folder of a training')
    for name, value in (('images', images), ('unlabeled', unlabeled)):
        if value < 0:
            raise UserError(f'--{name} must be 0 or more, got {value}')
    target = Path(out) if out else work_dir / 'report.html'
    if target.is_dir():
        target = target / 'report.html'
    check_writable(target)
    run = _Run.read(work_dir, options)
    log = run.log
    weights, why = run.checkpoint(checkpoint)
    train_cfg = run.cfg.get('train_cfg') or {} if run.cfg is not None else {}
    findings = log_findings(
        log,
        Circumstances(
            max_iters=train_cfg.get('max_iters'),
            max_epochs=train_cfg.get('max_epochs'),
            has_checkpoint=weights is not None,
            keeps_best=weights is not None and weights.name.startswith('best_'),
            networks=0 if run.cfg is None else len(branch_configs(run.cfg.model)),
            decided_by=run.decided_by,
            labels_only=read_record(work_dir),
        ),
    )
    sections = [_curves('Validation scores', log, VALIDATION)]
    distances = _similarity_over_time(log)
    sources, problems = ([], []) if run.cfg is None else find_sources(run.cfg)
    if why:
        findings.append(Finding(True, f'{"No images were scored. " if weights is None else ""}{why}'))
    if weights is None:
        sections += [Section('Images', [Text(why)]), Section('Similarity maps', distances)]
    else:
        found, shown = model_sections(run.cfg, weights, sources, distances, split, images, unlabeled, device)
        findings += found
        sections += shown
    sections += [
        _curves('Health of the pseudo-labels', log, HEALTH),
        _curves('Losses', log, LOSSES),
        _curves('Course of the training', log, COURSE),
        Section('Data', []) if run.cfg is None else _data(run.cfg, sources, problems),
        _environment(run),
    ]
    page = Page(
        title=run.title,
        subtitle=f'Training report of {work_dir.resolve().name}, written by simeps_mmseg {__version__}',
        facts=run.facts(weights),
        findings=sorted(findings, key=lambda finding: not finding.serious),
        checks=checks_made(log),
        sections=[section for section in sections if section.blocks],
    )
    with whole_file(target) as partial:
        partial.write_text(render(page, charts.plotly_script()), encoding='utf-8')
    print(f'report: {target} ({target.stat().st_size / 1e6:.1f} MB)')
    return target


@dataclass
class _Run:
    """A training as it lies in its work folder.

    Attributes:
        work_dir: The folder.
        log: What was logged.
        cfg: The config beside the log, None if there is none that can be read.
        why: Why there is none.
    """

    work_dir: Path
    log: TrainingLog
    cfg: Config | None
    why: str

    @classmethod
    def read(cls, work_dir: Path, options: Sequence[str]) -> '_Run':
        """From its work folder; ``options`` are changes of the config."""
        log = read_training_log(work_dir)
        try:
            cfg = config_beside(work_dir)
        except UserError as error:  # more than plain values, which would have to be run
            return cls(work_dir, log, None, f'The config beside the log cannot be read here: {error}.')
        if cfg is None:
            return cls(work_dir, log, None, 'No config lies beside the log (vis_data/config.py).')
        merge_options(cfg, options)
        return cls(work_dir, log, cfg, '')

    @property
    def decided_by(self) -> str | None:
        """The score that chose the best checkpoint, as far as that is known."""
        return None if self.cfg is None else decided_by(self.cfg)

    @property
    def title(self) -> str:
        return (
            self.work_dir.resolve().name if self.cfg is None else f'{method_name(self.cfg.model)}: {_network(self.cfg)}'
        )

    def checkpoint(self, wanted: str | None) -> tuple[Path | None, str]:
        """The weights to look at, and why not better ones, or any."""
        if self.cfg is None:
            return None, f'{self.why} So the model cannot be built.'
        if wanted:
            return find_checkpoint(wanted), ''
        pointer = self.work_dir / 'last_checkpoint'
        candidates = [
            *sorted(self.work_dir.glob('best_*.pth'), key=lambda file: file.stat().st_mtime, reverse=True),
            *(self.work_dir.glob(Path(pointer.read_text().strip()).name) if pointer.is_file() else []),
            *sorted(self.work_dir.glob('*_*.pth'), key=lambda file: file.stat().st_mtime, reverse=True),
        ]
        candidates = [file for file in candidates if file.name != WEIGHTS]  # a plain network, not the whole model
        damaged = []
        for file in dict.fromkeys(candidates):
            try:
                read_checkpoint(file)
            except UserError as error:
                damaged.append(str(error).splitlines()[0])
                continue
            return file, '; '.join(damaged)
        if damaged:
            return None, 'No checkpoint can be loaded: ' + '; '.join(damaged)
        return None, (
            f'There is no checkpoint in {self.work_dir}: the training ended before its first one '
            '(default_hooks.checkpoint.interval), or they were moved (--checkpoint FILE).'
        )

    def facts(self, weights: Path | None) -> list[tuple[str, str]]:
        """What stands at the head of the page."""
        wanted = (self.cfg.get('train_cfg') or {}).get('max_iters') if self.cfg is not None else None
        done = f'{self.log.last_step:,}' + (f' of {wanted:,}' if wanted else '')
        facts = [('Iterations', done)]
        key = deciding_score(self.log, self.decided_by)
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


def method_name(model: Mapping) -> str:
    """What people call the method of a model config."""
    kind = type_name(model['type'])
    if kind in ('MultiBranchSemiSegmentor', 'TriBranchSemiSegmentor'):
        if model.get('similarity'):
            return 'simEps'
        mixed = type_name((model.get('cross_pseudo') or {}).get('type', '')) == 'UncertaintyMixedLoss'
        return 'UAPS' if mixed else 'Cross pseudo supervision'
    if kind in SINGLE:
        return SINGLE[kind]
    return kind if {'branch', 'branches'} & model.keys() else 'Labels only'


def _network(cfg: Config) -> str:
    named = (' with '.join(filter(None, map(_types, _parts(branch)))) for branch in branch_configs(cfg.model))
    return ', '.join(dict.fromkeys(named))


def _parts(branch: Mapping) -> list:
    return [branch.get('backbone') or branch, branch.get('decode_head')]


def _types(part: Mapping | Sequence[Mapping] | None) -> str:
    parts = part if isinstance(part, (list, tuple)) else [part] if part else []
    return ' and '.join(type_name(one['type']) for one in parts)


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
    for k in range(num_branches(log)):
        row(f'branch {k} alone, last', f'branch_{k}.', lambda values: -1)
    return Table(['per cent', *keys], rows)


def _similarity_over_time(log: TrainingLog) -> list[Chart]:
    """How far apart the similarity maps of the branches were."""
    curves = tuple(Curve(f'{part}, {stage}', *values) for (part, stage), values in logged_similarity(log).items())
    if not curves:
        return []
    panel = Panel('Distance of the maps of the branches, weighted as logged', LOSSES, '', curves, log_scale=True)
    return [charts.panel_chart(panel, log.resumed)]


# -- sections from config and log ------------------------------------------------------------------------------------


def _data(cfg: Config, sources: Sequence[Source], problems: Sequence[Problem]) -> Section:
    """How many images there are, of which folders, and which classes the labels show."""
    counts = {part: sum(len(s.infos) for s in sources if s.part == part) for part in PARTS}
    splits = {part: _split_files(cfg, part) for part in PARTS}
    whole = not any(problem.is_error for problem in problems)
    rows = []
    for part in PARTS:
        own = [source for source in sources if source.part == part]
        if own:
            in_training = part in (LABELED, UNLABELED) and whole
            share = f'{counts[part] / (counts[LABELED] + counts[UNLABELED]):.1%}' if in_training else ''
            rows.append([part, f'{counts[part]:,}', share, splits[part], ', '.join(dict.fromkeys(map(_place, own)))])
    blocks: list[Block] = [Text(f'{problem.kind}: {problem}') for problem in problems if problem.is_error]
    if rows:
        blocks.append(Table(['part', 'images', 'of the training images', 'split', 'in'], rows, words=True))
    labeled = [source for source in sources if source.part == LABELED and source.classes]
    if labeled:
        blocks.append(_class_table(labeled))
    return Section('Data', blocks)


def _split_files(cfg: Config, part: str) -> str:
    return ', '.join(dict.fromkeys(leaf.get('ann_file') or 'all' for own, _, leaf in part_configs(cfg) if own == part))


def _place(source: Source) -> str:
    return str(Path(source.infos[0]['img_path']).parent) if source.infos else source.key


def _class_table(labeled: Sequence[Source]) -> Table | Text:
    """Images and pixels of each class among the labelled ones."""
    some = [
        source._replace(infos=[source.infos[index] for index in evenly_spaced(len(source.infos), MOST_LABELED)])
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
    total_images = sum(len(source.infos) for source in labeled)
    counted = '' if len(reports) == total_images else f'Counted in {len(reports):,} of {total_images:,}, evenly spaced.'
    return Table(['class', 'of the labelled pixels', 'labelled images that show it'], rows, counted)


def _environment(run: _Run) -> Section:
    blocks: list[Block] = []
    rows = environment_of(run.work_dir)
    if rows:
        blocks.append(Table(['environment', ''], rows, words=True))
    if run.cfg is not None:
        blocks.append(Code('The whole config', run.cfg.pretty_text))
    return Section('Environment and config', blocks)
