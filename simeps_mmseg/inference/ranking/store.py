"""What a ranking knows of each image, in files: it goes on where it was cut off, and memory holds no features."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...evaluation.uncertainty import ImageUncertainty
from ...utils.files import whole_file
from ...utils.images import UnreadableImage
from ..inputs import file_state

SETTINGS, LINES, FEATURES, PICKED = 'settings.json', 'images.jsonl', 'features.float16', 'picked.float16'
ROWS = 1024  # copied at a time


class Assessment(NamedTuple):
    """A line of ``images.jsonl``.

    Attributes:
        name: Of the image.
        state: Values of :func:`~simeps_mmseg.inference.inputs.file_state` when it was assessed.
        width: Number of its features.
        uncertainty: What the networks do not agree on.
    """

    name: str
    state: tuple[int, ...]
    width: int
    uncertainty: ImageUncertainty


class Assessments:
    """Uncertainty and features of images, in a folder that one process writes.

    ``images.jsonl`` has a line per image, ``features.float16`` its features as a row. What was found with other settings, such
    as with another network, is removed, and so is a line or row that was cut off.

    Args:
        folder: Where they are, or are to be.
        settings: What the results depend on, as plain values.
    """

    def __init__(self, folder: Path, settings: Mapping) -> None:
        self.folder = folder
        before = None
        with suppress(OSError, json.JSONDecodeError):
            before = json.loads((folder / SETTINGS).read_text(encoding='utf-8'))
        if before != dict(settings):
            self.remove()
            with whole_file(folder / SETTINGS) as partial:
                partial.write_text(json.dumps(dict(settings)), encoding='utf-8')
        self._known = self._read()
        self._rows = {known.name: row for row, known in enumerate(self._known)}

    def __contains__(self, image: tuple[str, Path]) -> bool:
        """Whether an image, by name and path, is assessed and has not changed since."""
        name, path = image
        with suppress(UnreadableImage):
            return name in self._rows and self._known[self._rows[name]].state == _state(path)
        return False

    def add(self, name: str, path: Path, uncertainty: ImageUncertainty, features: np.ndarray) -> None:
        """Write down an image with its features (d,), the same d for all; they are kept in float16.

        Raises:
            UnreadableImage: If the file is no longer there.
        """
        known = Assessment(name, _state(path), len(features), uncertainty)
        with (self.folder / FEATURES).open('ab') as file:
            file.write(features.astype(np.float16).tobytes())
        with (self.folder / LINES).open('a', encoding='utf-8') as file:
            file.write(json.dumps(known) + '\n')
        self._rows[name] = len(self._known)
        self._known.append(known)

    def forget(self, name: str) -> None:
        """Leave an image out of what :meth:`of` gives, as one that cannot be read any more."""
        self._rows.pop(name, None)

    def of(self, files: Mapping[str, Path]) -> tuple[list[str], list[ImageUncertainty], np.ndarray]:
        """Names, uncertainties and features (n, d), float16, of the files that are assessed."""
        names = [name for name in self._rows if name in files]
        if not names:
            return [], [], np.empty((0, 0), np.float16)
        rows = [self._rows[name] for name in names]
        shape = (len(self._known), self._known[0].width)
        features = np.memmap(self.folder / FEATURES, np.float16, 'r', shape=shape)
        uncertainties = [self._known[row].uncertainty for row in rows]
        return names, uncertainties, features if rows == list(range(len(features))) else self._picked(features, rows)

    def remove(self) -> None:
        """Remove the folder, once the ranking is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _picked(self, features: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """Some rows of the features, in a file as well."""
        with (self.folder / PICKED).open('wb') as file:
            for start in range(0, len(rows), ROWS):
                file.write(features[rows[start : start + ROWS]].tobytes())
        return np.memmap(self.folder / PICKED, features.dtype, 'r', shape=(len(rows), features.shape[1]))

    def _read(self) -> list[Assessment]:
        """The lines that have a whole row; both files are cut to these."""
        lines, features = self.folder / LINES, self.folder / FEATURES
        if not lines.exists() or not features.exists():
            for path in (lines, features):
                path.unlink(missing_ok=True)
            return []
        found: list[Assessment] = []
        size = 0
        for text in _whole_lines(lines):
            try:
                name, state, width, uncertainty = json.loads(text)
            except ValueError:  # after a power failure a line may be anything
                break
            if (len(found) + 1) * 2 * width > features.stat().st_size:
                break
            found.append(Assessment(name, tuple(state), width, ImageUncertainty(*uncertainty)))
            size += len(text)
        with lines.open('r+b') as file:
            file.truncate(size)
        with features.open('r+b') as file:
            file.truncate(len(found) * 2 * found[0].width if found else 0)
        return found


def _whole_lines(path: Path) -> Iterator[bytes]:
    with path.open('rb') as file:
        for text in file:
            if text.endswith(b'\n'):
                yield text


def _state(path: Path) -> tuple[int, ...]:
    return tuple(file_state(path).values())
