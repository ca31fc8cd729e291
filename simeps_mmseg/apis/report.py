"""One HTML file about a training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .. import __version__
from ..datasets.sources import find_sources
from ..report import (
    Finding,
    Page,
    Section,
    Text,
    checks_made,
    log_findings,
    render,
)
from ..report.data_section import data_section
from ..report.environment import environment_section
from ..report.log_sections import curve_section, similarity_over_time
from ..report.model_sections import model_sections
from ..report.recorded_training import RecordedTraining
from ..utils import UserError
from ..utils.files import check_writable, whole_file
from ..visualization.curves import COURSE, HEALTH, LOSSES, VALIDATION


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
    if not work_dir.exists():
        raise UserError(f'{work_dir} is not there; give the work folder of a training')
    if work_dir.is_file():
        raise UserError(f'{work_dir} is a file; give the work folder of a training')
    for name, value in (('images', images), ('unlabeled', unlabeled)):
        if value < 0:
            raise UserError(f'--{name} must be 0 or more, got {value}')
    target = Path(out) if out else work_dir / 'report.html'
    if target.is_dir():
        target = target / 'report.html'
    check_writable(target)
    run = RecordedTraining.read(work_dir, config, options)
    log = run.log
    weights, why = run.checkpoint(checkpoint)
    context = run.context(weights)
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
        environment_section(work_dir, run.cfg),
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
