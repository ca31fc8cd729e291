"""Results of predictions on disk: masks, overlays, a record of each image, and how all of it was made."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ..evaluation import area_record
from ..utils import UserError
from ..utils.files import whole_file
from ..utils.images import displayed
from ..utils.tables import table_text
from ..visualization import paint
from .inputs import MASKS, OVERLAYS, RECORDS, SETTINGS, InputFile
from .prediction import Prediction


class ResultWriter:
    """Writes mask and overlay of one image, and makes its record, which follows once they are there."""

    def __init__(self, folder: Path, dataset_meta: dict, min_area: int, overlays: bool) -> None:
        self.folder = folder
        self.classes = dataset_meta['classes']
        self.palette = dataset_meta['palette']
        self.min_area = min_area
        self.overlays = overlays

    def write(self, item: InputFile, frame: int | None, image: np.ndarray, prediction: Prediction) -> dict:
        name = item.output if frame is None else f'{item.output}/{frame:06d}'
        mask, overlay = f'{MASKS}/{name}.png', f'{OVERLAYS}/{name}.png'
        with whole_file(self.folder / mask) as partial:
            palette_image(prediction.labels, self.palette).save(partial)
        if self.overlays:
            with whole_file(self.folder / overlay) as partial:
                painted = paint(displayed(image), prediction.labels, self.palette, opacity=0.5)
                Image.fromarray(painted).save(partial)
        return dict(
            input=item.name,
            file=item.state(),
            frame=frame,
            mask=mask,
            overlay=overlay if self.overlays else None,
            **area_record(prediction.labels, self.classes, self.min_area),
            confidence=round(prediction.confidence, 6),
            disagreement=None if prediction.disagreement is None else round(prediction.disagreement, 6),
        )


def append_record(folder: Path, record: dict) -> None:
    """Write the record of an image whose results are there. Only one process writes records."""
    with (folder / RECORDS).open('a', encoding='utf-8') as file:
        file.write(json.dumps(record) + '\n')


def palette_image(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> Image.Image:
    """A picture whose pixel values are the class indices (h, w) and that shows in the colours of the classes."""
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette([value for colour in palette for value in colour])
    return picture


def read_records(path: Path, states: Mapping[str, dict], overlays: bool) -> list[dict]:
    """The lines of a records file; what is to be done again is taken out of it.

    That is a last line that was cut off, files that have changed, and those whose mask or overlay is not there.

    Args:
        path: The file.
        states: By name, :meth:`InputFile.state` of the files that are there today.
        overlays: Whether overlays are asked for.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding='utf-8')
    records, whole = [], []
    for line in text.splitlines():
        with suppress(json.JSONDecodeError):
            record = json.loads(line)
            state = states.get(record['input'])  # None: of a file that is no longer there
            results = [record['mask'], record['overlay']] if overlays else [record['mask']]
            complete = all(name and (path.parent / name).is_file() for name in results)
            if state is None or (state == record['file'] and complete):
                records.append(record)
                whole.append(line + '\n')
    if text != ''.join(whole):
        with whole_file(path) as partial:
            partial.write_text(''.join(whole), encoding='utf-8')
    return records


def check_settings(folder: Path, settings: dict) -> None:
    """Write down how results are made, or compare with how they were made before.

    Raises:
        UserError: If there are results that were made otherwise, or files that might be overwritten.
    """
    path = folder / SETTINGS
    before = None
    if path.exists():
        with suppress(json.JSONDecodeError):
            before = json.loads(path.read_text(encoding='utf-8'))
    foreign = [folder / name for name in (MASKS, OVERLAYS) if not path.exists() and (folder / name).exists()]
    if foreign:
        raise UserError(f'{foreign[0]} is there and holds nothing that was written by predict; give another -o')
    if before is not None and before != settings:
        changed = ', '.join(key for key in settings if before.get(key) != settings[key])
        raise UserError(f'{folder} holds results made with another {changed}; give another -o, or remove that folder')
    with whole_file(path) as partial:
        partial.write_text(json.dumps(settings, indent=2), encoding='utf-8')


def write_table(path: Path, records: Sequence[dict], classes: Sequence[str]) -> None:
    """The records as CSV: areas, counts and boxes have a column for each class; boxes are JSON lists."""
    columns = ['input', 'frame', 'mask', 'overlay', 'height', 'width']
    columns += [f'{kind}.{name}' for kind in ('area_pixels', 'area_percent') for name in classes]
    columns += [f'{kind}.{name}' for kind in ('defect_count', 'boxes') for name in classes[1:]]
    columns += ['confidence', 'disagreement']
    with whole_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, columns, extrasaction='ignore')
        writer.writeheader()
        for record in records:
            row = dict(record, **{key: table_text(record[key]) for key in ('input', 'mask', 'overlay') if record[key]})
            for kind in ('area_pixels', 'area_percent', 'defect_count'):
                row.update({f'{kind}.{name}': value for name, value in record[kind].items()})
            for name in classes[1:]:
                row[f'boxes.{name}'] = json.dumps([one['box'] for one in record['defects'] if one['class'] == name])
            writer.writerow(row)


def file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
