"""Segment images and videos, and record what is on them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..inference.dark_images import warn_of_dark_images
from ..inference.inputs import MASKS, RECORDS, TABLE, InputFile, find_inputs, states_of
from ..inference.records import append_record, check_settings, file_digest, read_records, text_digest, write_table
from ..inference.segmenting import Segmenter, Task
from ..inference.workers import check_workers, in_workers
from ..utils import UserError, counted, progress
from ..utils.configs import load_config, test_pipeline
from ..utils.images import UnreadableImage, is_video

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
    workers: int = 1,
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
        workers: Processes that each hold a model and share the files: on one GPU after the other, or on the cores.
        options: ``key=value`` changes of the config.

    Returns:
        All records in ``out``.

    Raises:
        UserError: If an input is missing, the results in ``out`` were made otherwise, or, after all others are done, an
            input could not be read or the network refused it.
    """
    if min_area < 1 or every < 1:
        raise UserError(f'--min-area and --every are 1 or more, got {min_area} and {every}')
    check_workers(workers, device)
    folder = Path(out)
    root, sources = find_inputs(source, results=folder)
    cfg = load_config(config, options)
    open_segmenter = partial(Segmenter, cfg, checkpoint, folder, min_area, every, overlays)
    segmenter = open_segmenter(device if workers == 1 else 'cpu')  # of several processes each has its own
    classes = segmenter.model.dataset_meta['classes']
    warn_of_dark_images(test_pipeline(cfg, 'test')[0], [item.path for item in sources if not is_video(item.path)])
    settings = dict(
        checkpoint_sha256=file_digest(Path(checkpoint)),
        config=text_digest(cfg.pretty_text),
        source=root.resolve().as_posix(),
        min_area=min_area,
        every=every,
    )
    check_settings(folder, settings)
    records = read_records(folder / RECORDS, states_of(sources), overlays)
    tasks = list(to_do(with_own_results(sources, records), records))
    open_work = (lambda _: segmenter) if workers == 1 else open_segmenter
    done: Iterator[tuple[Task, Iterable[dict]]]
    done = in_workers(open_work, tasks, workers, device, cfg.get('custom_imports'))
    failed: list[str] = []
    try:
        for task, found in progress(done, 'predict', total=len(tasks)):
            try:
                for record in found:
                    append_record(folder, record)
                    records.append(record)
            except UnreadableImage as error:
                failed.append(f'{task.item.path}: {error}')
    finally:
        write_table(folder / TABLE, records, classes)
    print(f'{counted(len(records), "record")} in {folder / RECORDS} and {folder / TABLE}')
    if failed:
        listed = '\n'.join(f'  - {line}' for line in failed[:LISTED_FAILURES])
        more = f'\n  ... and {len(failed) - LISTED_FAILURES} more' if len(failed) > LISTED_FAILURES else ''
        raise UserError(
            f'{len(failed)} of {len(sources)} inputs could not be segmented to their end, all else is done:\n{listed}{more}'
        )
    return records


def with_own_results(sources: Iterable[InputFile], records: Iterable[dict]) -> Iterator[InputFile]:
    """The files; results that would replace those of another file from an earlier call are named with the suffix."""
    taken = {Path(record['mask']).with_suffix(''): record['input'] for record in records}
    for item in sources:
        is_free = taken.get(Path(MASKS, item.output), item.name) == item.name
        yield item if is_free else replace(item, output=item.name)


def to_do(sources: Iterable[InputFile], records: Iterable[dict]) -> Iterator[Task]:
    """The files that are not recorded yet; of a video it shows when it is read."""
    done = defaultdict(set)
    for record in records:
        done[record['input']].add((record['input'], record['frame']))
    for item in sources:
        own = frozenset(done.get(item.name, ()))
        if (item.name, None) not in own:
            yield Task(item, own)
