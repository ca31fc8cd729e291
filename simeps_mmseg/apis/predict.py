"""Segment images and videos, and record what is on them."""

from collections.abc import Sequence
from pathlib import Path

from ..deploy import read_checkpoint
from ..inference.dark_images import warn_of_dark_images
from ..inference.inputs import RECORDS, TABLE, find_inputs, frames_of
from ..inference.loading import load_model
from ..inference.prediction import predict_image
from ..inference.preparation import Preparation
from ..inference.records import ResultWriter, check_settings, file_digest, read_records, text_digest, write_table
from ..utils import UserError, counted, progress
from ..utils.configs import load_config, test_pipeline
from ..utils.images import (
    UnreadableImage,
    is_video,
)

LISTED_FAILURES = 20


def predict(
    config: str,
    checkpoint: str,
    source: str,
    out: str,
    min_area: int = 1,
    every: int = 1,
    device: str | None = None,
    overlays: bool = True,
    options: Sequence[str] = (),
) -> list[dict]:
    """Write label maps, overlays and a record of each image or video frame.

    ``out`` gets ``masks/`` (palette PNG, values are class indices), ``overlays/``, ``records.jsonl`` (a line as soon as an
    image is done) and ``records.csv`` (the same as a table, at the end). A second call passes over what is recorded, and does
    again the files that have changed since or whose results are no longer there.

    Args:
        config: Path of a config, also below the shipped ``configs/``.
        checkpoint: Path of the weights of a semi-supervised segmentor, or of a plain one.
        source: Image, video, folder or glob pattern.
        out: Folder for the results.
        min_area: Connected regions of fewer pixels are no defects.
        every: Of a video, take each n-th frame.
        device: Such as ``cpu`` or ``cuda:0``. None: the GPU where there is one, else the CPU.
        overlays: Write the images with the prediction painted on, beside masks and records.
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
    root, sources = find_inputs(source, results=folder)
    content = read_checkpoint(checkpoint)
    cfg = load_config(config, options)
    model = load_model(cfg, content, device)
    prepare = Preparation(cfg)
    warn_of_dark_images(test_pipeline(cfg, 'test')[0], [item.path for item in sources if not is_video(item.path)])
    settings = dict(
        checkpoint_sha256=file_digest(Path(checkpoint)),
        config=text_digest(cfg.pretty_text),
        source=root.resolve().as_posix(),
        min_area=min_area,
        every=every,
    )
    check_settings(folder, settings)
    records = read_records(folder / RECORDS, {item.name: item.state() for item in sources}, overlays)
    done = {(record['input'], record['frame']) for record in records}
    writer = ResultWriter(folder, model.dataset_meta, min_area, overlays)
    failed: list[str] = []
    try:
        for item in progress(sources, 'predict'):
            try:
                for frame, image in frames_of(item, every, done):
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
