"""One HTML file about a training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from mmengine.config import Config

from .. import __version__
from ..datasets.sources import find_sources
from ..deploy import find_checkpoint, read_checkpoint
from ..deploy.labels_only import WEIGHTS, read_record
from ..deploy.stock_config import branch_configs
from ..report import (
    Block,
    Code,
    Finding,
    Page,
    RunContext,
    Section,
    Table,
    Text,
    checks_made,
    log_findings,
    render,
)
from ..report.data_section import data_section
from ..report.environment import environment_of
from ..report.log_sections import curve_section, similarity_over_time
from ..report.model_name import method_name, network_name
from ..report.model_sections import model_sections
from ..report.validation_config import decided_by
from ..report.validation_findings import deciding_score
from ..utils import UserError
from ..utils.config_tree import walk_values
from ..utils.configs import load_config, merge_options
from ..utils.files import check_writable, whole_file
from ..visualization.config_beside import config_beside
from ..visualization.curves import COURSE, HEALTH, LOSSES, VALIDATION
from ..visualization.training_log import TrainingLog, read_training_log

NAME_THE_CONFIG = 'name that of the training, if you trust it, with --config'


def report(
    work_dir: str | Path,
    out: str | Path | None = None,
    checkpoint: str | None = None,
    config: str | None = None,
    split: Literal['test', 'val'] = 'val',
    images: int = 200,
    unlabeled: int = 100,
    device: str | None = None,
    options: Sequence[str] = (),
) -> Path:
    """Write all that is known of a training into one HTML file that needs no network.

    What is missing (a run that crashed before its first checkpoint, data that has moved) is said in the place where it would
    stand; the rest is there. A labels-only run has no sections on pseudo-labels, similarity and ranking.

    Args:
        work_dir: Work folder of the training.
        out: The file. None: ``report.html`` in the work folder.
        checkpoint: Path of the weights. None: the best one by validation if there is one, else the last one.
        config: File of the training's config, which is run. None: the one beside the log, which is read and not run, so
            that it may import no modules but those of MMSegmentation and this package.
        split: Set whose images are scored and shown.
        images: At most so many of them, evenly spaced. 0: all.
        unlabeled: At most so many unlabelled images are ranked. 0: none.
        device: Such as ``cpu`` or ``cuda:0``. None: the GPU where there is one, else the CPU.
        options: ``key=value`` changes of the config, such as where the data is now.

    Returns:
        The file.

    Raises:
        UserError: If it is no folder, has no training log, or a checkpoint or config that was asked for is not there.
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
    run = _Run.read(work_dir, config, options)
    log = run.log
    weights, why = run.checkpoint(checkpoint)
    train_cfg = run.cfg.get('train_cfg') or {} if run.cfg is not None else {}
    context = RunContext(
        max_iters=train_cfg.get('max_iters'),
        max_epochs=train_cfg.get('max_epochs'),
        has_checkpoint=weights is not None,
        keeps_best=weights is not None and weights.name.startswith('best_'),
        networks=0 if run.cfg is None else len(branch_configs(run.cfg.model)),
        decided_by=run.decided_by,
        labels_only=read_record(work_dir),
        has_class_weights=run.has_class_weights,
        **run.starving_rule,
    )
    findings = []
    sections = [curve_section('Validation scores', log, VALIDATION, run.decided_by)]
    distances = similarity_over_time(log)
    facts = run.facts(weights)
    sources, problems = ([], []) if run.cfg is None else find_sources(run.cfg)
    if why:
        findings.append(Finding(True, f'{"No images were scored. " if weights is None else ""}{why}'))
    if weights is None:
        sections += [Section('Images', [Text(why)]), Section('Similarity maps', distances)]
    else:
        looked_at = model_sections(run.cfg, weights, sources, distances, split, images, unlabeled, device)
        facts += looked_at.facts
        findings += looked_at.findings
        sections = [*looked_at.parts, *sections, *looked_at.sections]
    sections += [
        curve_section('Health of the pseudo-labels', log, HEALTH),
        curve_section('Losses', log, LOSSES),
        curve_section('Course of the training', log, COURSE),
        Section('Data', []) if run.cfg is None else data_section(run.cfg, sources, problems),
        _environment(run),
    ]
    page = Page(
        title=run.title,
        subtitle=f'Training report of {work_dir.resolve().name}, written by simeps_mmseg {__version__}',
        facts=facts,
        findings=log_findings(log, context, findings),
        checks=checks_made(log),
        sections=[section for section in sections if section.blocks],
    )
    with whole_file(target) as partial:
        partial.write_text(render(page), encoding='utf-8', errors='backslashreplace')
    print(f'report: {target} ({target.stat().st_size / 1e6:.1f} MB)')
    return target


@dataclass
class _Run:
    """A training as it lies in its work folder.

    Attributes:
        work_dir: The folder.
        log: What was logged.
        cfg: The config that was given, or the one beside the log; None if there is none that can be read.
        why: Why there is none.
    """

    work_dir: Path
    log: TrainingLog
    cfg: Config | None
    why: str

    @classmethod
    def read(cls, work_dir: Path, config: str | None, options: Sequence[str]) -> '_Run':
        """Read a work folder, with a config in place of the one beside the log; ``options`` are changes of it."""
        log = read_training_log(work_dir)
        if config is not None:
            return cls(work_dir, log, load_config(config, options), '')
        try:
            cfg = config_beside(work_dir, NAME_THE_CONFIG)
        except UserError as error:  # more than plain values, which would have to be run
            return cls(work_dir, log, None, f'The config beside the log cannot be read here: {error}.')
        if cfg is None:
            return cls(work_dir, log, None, f'No config lies beside the log (vis_data/config.py): {NAME_THE_CONFIG}.')
        merge_options(cfg, options)
        return cls(work_dir, log, cfg, '')

    @property
    def decided_by(self) -> str | None:
        """The score that chose the best checkpoint, as far as that is known."""
        return None if self.cfg is None else decided_by(self.cfg)

    @property
    def starving_rule(self) -> dict[str, float]:
        """When a class starves, as far as the config of the training says it (``SemiSupervisedHook``)."""
        hooks = [] if self.cfg is None else self.cfg.get('custom_hooks') or []
        given: dict = next((hook for hook in hooks if hook.get('type') == 'SemiSupervisedHook'), {})
        return {name: given[name] for name in ('starving', 'starving_after_share') if name in given}

    @property
    def has_class_weights(self) -> bool:
        """Whether a loss of the model weighs classes."""
        values = () if self.cfg is None else walk_values(self.cfg.model)
        return any(name == 'class_weight' and value is not None for _, name, value in values)

    @property
    def title(self) -> str:
        if self.cfg is None:
            return self.work_dir.resolve().name
        return f'{method_name(self.cfg.model)}: {network_name(self.cfg.model)}'

    def checkpoint(self, wanted: str | None) -> tuple[Path | None, str]:
        """Path of the weights that are shown, or None; and the reason, where better ones cannot be loaded."""
        if self.cfg is None:
            return None, f'{self.why} So the model cannot be built.'
        if wanted:
            return find_checkpoint(wanted), ''
        pointer = self.work_dir / 'last_checkpoint'
        candidates = [
            *_newest_first(self.work_dir.glob('best_*.pth')),
            *(self.work_dir.glob(Path(pointer.read_text().strip()).name) if pointer.is_file() else []),
            *_newest_first(self.work_dir.glob('*_*.pth')),
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
        """Name and value of each line at the head of the page."""
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


def _environment(run: _Run) -> Section:
    blocks: list[Block] = []
    rows = environment_of(run.work_dir)
    if rows:
        blocks.append(Table(['environment', ''], rows, words=True))
    if run.cfg is not None:
        blocks.append(Code('The whole config', run.cfg.pretty_text))
    return Section('Environment and config', blocks)


def _newest_first(files: Iterable[Path]) -> list[Path]:
    """Files by falling time of change; links that lead nowhere are left out."""
    return sorted(filter(Path.is_file, files), key=lambda file: file.stat().st_mtime, reverse=True)
