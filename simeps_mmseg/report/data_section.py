"""The section on the data of a training: how many images there are, of which folders, and which classes the labels show."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ..datasets.checks import inspection
from ..datasets.checks.files import inspect_sources
from ..datasets.checks.inspection import LABELED, UNLABELED, Problem
from ..datasets.sources import Source, part_configs
from ..utils import evenly_spaced
from .page import Block, Section, Table, Text

PARTS = (LABELED, UNLABELED, inspection.VALIDATION, inspection.TEST)
MOST_LABELED = 500  # masks that are opened to count classes


def data_section(cfg: Config, sources: Sequence[Source], problems: Sequence[Problem]) -> Section:
    """Tables of the parts of the data and of the labelled classes.

    Args:
        cfg: Of the training.
        sources: The data sets of the config.
        problems: What is wrong with them; errors are said.
    """
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
        blocks.append(Table(['role', 'images', 'of the training images', 'split', 'in'], rows, words=True))
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
            f'{len(broken)} errors in the labelled files, such as {broken[0]}; simeps check_dataset lists them.'
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
