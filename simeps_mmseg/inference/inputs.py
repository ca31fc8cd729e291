"""Images, videos, folders and glob patterns to predict on."""

import glob
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from ..utils import UserError, progress
from ..utils.images import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    UnreadableImage,
    check_image_is_whole,
    is_video,
    list_images,
)

# What the folder of results holds.
RECORDS, TABLE, SETTINGS = 'records.jsonl', 'records.csv', 'settings.json'
MASKS, OVERLAYS = 'masks', 'overlays'


@dataclass(frozen=True)
class InputFile:
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
        """What changes with the content of the file, see :func:`file_state`."""
        return file_state(self.path)


def file_state(path: Path) -> dict[str, int]:
    """What changes with the content of a file: its size, and the time of its last change.

    Raises:
        UnreadableImage: If it is not there, such as at the end of a link that leads nowhere.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UnreadableImage(error) from error
    return dict(bytes=found.st_size, modified_ns=found.st_mtime_ns)


def states_of(items: Iterable[InputFile]) -> dict[str, dict[str, int]]:
    """By name, the states of the files that are there."""
    states = {}
    for item in items:
        with suppress(UnreadableImage):
            states[item.name] = item.state()
    return states


def find_inputs(source: str, results: Path) -> tuple[Path, list[InputFile]]:
    """The files that a path or a glob pattern names, and the folder that their names start from.

    Results of this function, in ``results`` or in any other folder, are not among them.

    A link that leads nowhere is one of them, so that whoever reads it says so.

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
        files = [file for file in files if file.is_file() or file.is_symlink()]
        files = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES]

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
    return root, [InputFile(file, name, output) for file, name, output in zip(files, names, output_names(names))]


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


def frames_of(
    item: InputFile, every: int, done: Collection[tuple[str, int | None]]
) -> Iterator[tuple[int | None, str | np.ndarray]]:
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
