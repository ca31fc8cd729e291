"""A ranking as a table."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ...evaluation.uncertainty import ImageUncertainty
from ...utils.files import whole_file
from ...utils.tables import table_text
from .order import RankedImage


def write_ranking(path: Path, ranking: Sequence[RankedImage], classes: Sequence[str]) -> None:
    """The ranking as CSV.

    Args:
        path: The file.
        ranking: The first to label first.
        classes: Names of the classes, none of which becomes a formula.
    """
    with whole_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['rank', 'image', *ImageUncertainty._fields, 'near_duplicate_of'])
        for place, image in enumerate(ranking, 1):
            *values, likeliest = image.uncertainty
            numbers = (f'{value:.6g}' for value in values)
            texts = (table_text(text) for text in (classes[likeliest], image.repeats))
            writer.writerow([place, table_text(image.name), *numbers, *texts])
