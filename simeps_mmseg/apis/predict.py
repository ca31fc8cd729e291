"""Segment images and videos, and record what is on them."""

import csv
import glob
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..deploy import read_checkpoint
from ..deploy.stock_config import test_pipeline
from ..evaluation import area_record
from ..utils import UserError, counted, progress
from ..utils.files import whole_file
from ..utils.images import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    UnreadableImage,
    check_image_is_whole,
    displayed,
    is_video,
    list_images,
)
from ..utils.tables import table_text
from ..visualization import paint
from .config import load_config
from .dark_images import warn_of_dark_images
from .model import Prediction, Preparation, load_model, predict_image

RECORDS, TABLE, SETTINGS = 'records.jsonl', 'records.csv', 'settings.json'
MASKS, OVERLAYS = 'masks', 'overlays'
LISTED_FAILURES = 20


@dataclass(frozen=True)
class Source:
    """A file to predict on.

    Attributes:
        path: Where it is.
        name: What it is called in the records: its path below the folder that was given.
        output: Path of its results below ``masks/`` and ``overlays/``, without suffix.
    """

    path: Path
    name: str
    output: str

    def state(self) -> dict[str, int]:
        """What changes with the content of the file: its size, and the time of its last change."""
        found = self.path.stat()
        return dict(bytes=found.st_size, modified_ns=found.st_mtime_ns)


def predict(
    config: str,
    checkpoint: str,
    source: str,
    out: str,
    min_area: int = 1,
    every: int = 1,
    device: str = 'cpu',
    overlays: bool = True,
    options: Sequence[str] = (),
) -> list[dict]:
    """Write label maps, overlays and a record of each image or video frame.

    ``out`` gets ``masks/`` (palette PNG, values are class indices), ``overlays/``, ``records.jsonl`` (a line as soon as an
    image is done) and ``records.csv`` (the same as a table, at the end). A second call passes over what is recorded, and does
    again the files that have changed since or whose results are no longer there.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        checkpoint: Of a semi-supervised segmentor or of a plain one.
        source: Image, video, folder or glob pattern.
        out: Folder for the results.
        min_area: Connected regions smaller than this are no defects.
        every: Of a video, take each n-th frame.
        device: Such as ``cpu`` or ``cuda:0``.
        overlays: Whether to write them.
        options: ``key=value`` changes of the config.

    Returns:
        All records in ``out``.

    Raises:
        UserError: If an input is missing, the results in ``out`` were made otherwise, or, after all others are done, an
            input could not be read or the network refused it.
    """
    if min_area < 1 or every < 1:
        raise UserError(f'--min-area and --every are 1 or more, got {min_area} and {every}')
    folder = Path(out)
    root, sources = find_sources(source, results=folder)
    content = read_checkpoint(checkpoint)
    cfg = load_config(config, options)
    model = load_model(cfg, content, device)
    prepare = Preparation(cfg)
    warn_of_dark_images(test_pipeline(cfg, 'test')[0], [item.path for item in sources if not is_video(item.path)])
    settings = dict(
        checkpoint_sha256=_digest(Path(checkpoint)),
        config=_digest_of(cfg.pretty_text),
        source=root.resolve().as_posix(),
        min_area=min_area,
        every=every,
    )
    check_settings(folder, settings)
    records = read_records(folder / RECORDS, {item.name: item.state() for item in sources}, overlays)
    done = {(record['input'], record['frame']) for record in records}
    writer = _Writer(folder, model.dataset_meta, min_area, overlays)
    failed: list[str] = []
    try:
        for item in progress(sources, 'predict'):
            try:
                for frame, image in _frames(item, every, done):
                    shown, data = prepare(image)
                    records.append(writer.write(item, frame, shown, predict_image(model, data)))
            except UnreadableImage as error:
                failed.append(f'{item.path}: {error}')
    finally:
        write_table(folder / TABLE, records, model.dataset_meta['classes'])
    print(f'{counted(len(records), "record")} in {folder / RECORDS} and {folder / TABLE}')
    if failed:
        listed = '\n'.join(f'  - {line}' for line in failed[:LISTED_FAILURES])
        more = f'\n  ... and {len(failed) - LISTED_FAILURES} more' if len(failed) > LISTED_FAILURES else ''
        raise UserError(
            f'{len(failed)} of {len(sources)} inputs could not be segmented to their end, all else is done:\n{listed}{more}'
        )
    return records


def find_sources(source: str, results: Path) -> tuple[Path, list[Source]]:
    """The files that a path or a glob pattern names, and the folder that their names start from.

    Results of this function, in ``results`` or in any other folder, are not among them.

    Two files that differ in their suffix only get results named with it: ``a.jpg`` and ``a.png`` write ``a.jpg.png`` and
    ``a.png.png``. So do videos, whose frames get a folder: ``a.mp4/000000.png``.

    Raises:
        UserError: If there are none.
    """
    path = Path(source)
    if path.is_dir():
        root, files = path, [path / name for name in list_images(path, IMAGE_SUFFIXES + VIDEO_SUFFIXES)]
    elif path.is_file():
        root, files = path.parent, [path]
    else:
        root = _fixed_part(source)
        files = sorted(Path(found) for found in glob.glob(source, recursive=True))
        files = [file for file in files if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES]

    @cache
    def is_result(folder: Path) -> bool:
        by_name = folder.name in (MASKS, OVERLAYS)
        return by_name and (
            folder.parent.resolve() == results.resolve()
            or all((folder.parent / name).is_file() for name in (SETTINGS, RECORDS))
        )

    files = [file for file in files if not any(map(is_result, file.parents))]
    if not files:
        what = 'holds' if path.is_dir() else 'is not there, or as a pattern matches'
        raise UserError(f'{source} {what} no image ({" ".join(IMAGE_SUFFIXES)}) or video ({" ".join(VIDEO_SUFFIXES)})')
    names = [file.relative_to(root).as_posix() for file in files]
    return root, [Source(file, name, output) for file, name, output in zip(files, names, output_names(names))]


def output_names(names: Sequence[str]) -> list[str]:
    """For each file a name of its own: without suffix where that is one, and the file is no video.

    Example:
        >>> output_names(['a.jpg', 'b.jpg', 'b.png', 'c.mp4'])
        ['a', 'b.jpg', 'b.png', 'c.mp4']
    """
    stems = [name if is_video(Path(name)) else Path(name).with_suffix('').as_posix() for name in names]
    files = Counter(stems)
    outputs = [name if files[stem] > 1 else stem for name, stem in zip(names, stems)]
    return outputs if len(set(outputs)) == len(names) else list(names)


def _fixed_part(pattern: str) -> Path:
    """The folder before the first part of a pattern that holds a wild card."""
    parts = Path(pattern).parts
    fixed = [part for index, part in enumerate(parts[:-1]) if not any(map(glob.has_magic, parts[: index + 1]))]
    return Path(*fixed)


def _frames(item: Source, every: int, done: set) -> Iterator[tuple[int | None, str | np.ndarray]]:
    """Number and picture of each frame that is not done; of an image None and its path.

    Raises:
        UnreadableImage: If the file cannot be decoded, or ends before it should.
    """
    if not is_video(item.path):
        if (item.name, None) not in done:
            check_image_is_whole(item.path)
            yield None, str(item.path)
        return
    video = cv2.VideoCapture(str(item.path))
    try:
        stated = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        for number in progress(count(), item.name, total=stated if stated > 0 else None):
            if not video.grab():
                break
            if number % every == 0 and (item.name, number) not in done:
                okay, frame = video.retrieve()
                if not okay:
                    raise UnreadableImage(f'frame {number} cannot be decoded')
                yield number, frame
        if number == 0:
            raise UnreadableImage('no frame can be decoded')
        # Containers state the number of frames roughly; only a video that stops far too early is broken.
        if number < 0.9 * stated:
            raise UnreadableImage(f'ends after {number} of {stated} frames')
    finally:
        video.release()


class _Writer:
    """Writes the results of one image: mask, overlay, then its record."""

    def __init__(self, folder: Path, dataset_meta: dict, min_area: int, overlays: bool) -> None:
        self.folder = folder
        self.classes = dataset_meta['classes']
        self.palette = dataset_meta['palette']
        self.min_area = min_area
        self.overlays = overlays

    def write(self, item: Source, frame: int | None, image: np.ndarray, prediction: Prediction) -> dict:
        name = item.output if frame is None else f'{item.output}/{frame:06d}'
        mask, overlay = f'{MASKS}/{name}.png', f'{OVERLAYS}/{name}.png'
        with whole_file(self.folder / mask) as partial:
            palette_image(prediction.labels, self.palette).save(partial)
        if self.overlays:
            with whole_file(self.folder / overlay) as partial:
                painted = paint(displayed(image), prediction.labels, self.palette, opacity=0.5)
                Image.fromarray(painted).save(partial)
        record = dict(
            input=item.name,
            file=item.state(),
            frame=frame,
            mask=mask,
            overlay=overlay if self.overlays else None,
            **area_record(prediction.labels, self.classes, self.min_area),
            confidence=round(prediction.confidence, 6),
            disagreement=None if prediction.disagreement is None else round(prediction.disagreement, 6),
        )
        with (self.folder / RECORDS).open('a', encoding='utf-8') as file:
            file.write(json.dumps(record) + '\n')
        return record


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
        states: By name, :meth:`Source.state` of the files of today.
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


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
